// A page that changes itself: only a browser sees its title.
const { createServer } = require('node:http');

const page = '<!doctype html><p>playwright answers</p><script>document.title = "seen by a browser"</script>';
createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(page)).listen(process.env.PORT, 'localhost');
