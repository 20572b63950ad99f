// An image, as large as its place or as its pixels.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { addressOf, exported } from "../../api/client.ts";
import { version } from "../../api/live.ts";
import type { Preview } from "../../api/types.ts";
import { useStore } from "../../store.ts";

const STEPS = [0.1, 0.25, 0.5, 1, 2, 4, 8];

export function ImagePreview({ shown, inside, side }: { shown: Preview; inside: string | undefined; side: string | undefined }): JSX.Element {
  const changes = useStore(version);
  const [zoom, setZoom] = useState<number | null>(null);
  const [failed, setFailed] = useState(false);
  const [width, setWidth] = useState(shown.width ?? null);
  useEffect(() => setFailed(false), [changes]);
  const now = zoom ?? 1;
  const size = shown.width && shown.height ? `${shown.width} × ${shown.height} pixels` : "";
  const address = addressOf("content", { path: shown.path, side, inside });
  return (
    <div>
      <div class="preview-tools">
        <button aria-pressed={zoom === null} onClick={() => setZoom(null)}>
          Fit
        </button>
        <button aria-pressed={zoom === 1} onClick={() => setZoom(1)}>
          100 %
        </button>
        <button class="icon" aria-label="Smaller" title="Smaller" onClick={() => setZoom([...STEPS].reverse().find((step) => step < now) ?? now)}>
          −
        </button>
        <button class="icon" aria-label="Larger" title="Larger" onClick={() => setZoom(STEPS.find((step) => step > now) ?? now)}>
          +
        </button>
        <span class="faint">
          {zoom === null ? "" : `${Math.round(zoom * 100)} %  `}
          {size}
        </span>
      </div>
      {failed ? (
        <p class="problem" role="alert">
          The image cannot be shown.
        </p>
      ) : (
        <div class="image-place" tabIndex={0} role="region" aria-label="Image">
          <img
            src={exported() ? address : `${address}&version=${changes}`}
            alt={shown.path}
            class={zoom === null ? "fit" : zoom >= 2 ? "pixels" : ""}
            style={zoom !== null && width ? { width: `${width * zoom}px` } : undefined}
            onLoad={(event) => setWidth(event.currentTarget.naturalWidth || width)}
            onError={() => setFailed(true)}
          />
        </div>
      )}
    </div>
  );
}
