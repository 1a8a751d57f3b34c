from dash import Dash, html

app = Dash(title="dash answers")
app.layout = html.P("dash answers")

if __name__ == "__main__":
    app.run(debug=True)
