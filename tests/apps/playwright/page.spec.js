const { test, expect } = require('@playwright/test');

test('the page is seen by a real browser', async ({ page }) => {
  await page.goto('/');
  await expect(page).toHaveTitle(process.env.TITLE, { timeout: Number(process.env.PATIENCE || 3000) });
});
