import { render } from "preact";
import { listen } from "./api/live.ts";
import { keepUp } from "./api/shared.ts";
import { App } from "./app.tsx";
import { followAddress } from "./routes.ts";
import { followTheme } from "./theme.ts";

followTheme();
followAddress();
listen();
keepUp();
const root = document.getElementById("app");
if (root) render(<App />, root);
