from litestar import Litestar, get


@get("/")
async def index() -> str:
    return "litestar answers"


app = Litestar([index])
