from sanic import Sanic
from sanic.response import text

app = Sanic("answers")


@app.get("/")
async def index(request):
    return text("sanic answers")
