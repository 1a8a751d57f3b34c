// What a page has wrong: controls without a name, text with too little contrast (WCAG AA). Run through the bridge.
return page.evaluate(() => {
  const wrong = [];
  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && element.getClientRects().length;
  for (const element of document.querySelectorAll('button, a[href], input, select')) {
    if (!seen(element)) continue;
    const name = element.getAttribute('aria-label') || element.textContent.trim() || element.labels?.[0]?.textContent.trim();
    if (!name) wrong.push(`no name: ${element.outerHTML.slice(0, 120)}`);
  }
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = rgba(colour).slice(0, 3).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (rgba(colour)[3] > 250) return colour;
    }
    return 'white';
  };
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !seen(element) || element.closest(':disabled, [aria-disabled=true], svg, option, .unseen, .skip')) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) wrong.push(`${contrast.toFixed(2)}: ${element.className} ${element.textContent.slice(0, 30)}`);
  }
  return wrong;
});
