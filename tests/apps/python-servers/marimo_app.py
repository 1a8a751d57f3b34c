import marimo

app = marimo.App(app_title="marimo answers")


@app.cell
def _():
    "marimo answers"
    return
