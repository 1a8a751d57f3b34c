import { Outlet, Scripts } from "@remix-run/react";

export default function Root() {
  return <html><body><Outlet /><Scripts /></body></html>;
}
