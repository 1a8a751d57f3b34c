import streamlit

streamlit.write("streamlit answers")
