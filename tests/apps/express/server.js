const app = require("express")();
const port = process.env.PORT ?? 3900;

app.get("/", (request, response) => response.send("express answers"));
app.listen(port, () => console.log(`express on ${port}`));
