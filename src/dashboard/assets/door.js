// Lets this browser in: by the code behind the `#`, or by the cookie that a link from elsewhere did not bring along.

const code = new URLSearchParams(location.hash.slice(1)).get('open');
history.replaceState(null, '', location.pathname);

const answer = code
  ? await fetch('/api/session', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code }),
    })
  : await fetch('/api/session');

if (answer.ok) {
  location.replace(location.pathname);
} else if (code && (await fetch('/api/session')).ok) {
  // A used link, in a browser that is in already.
  location.replace(location.pathname);
} else {
  if (code) {
    document.getElementById('door-title').textContent = 'This link has been used';
    document.getElementById('door-text').textContent = 'Each link lets one browser in, once. Get a new one:';
  }
  document.getElementById('door').hidden = false;
}
