// Line icons, 20 by 20, drawn with the text's colour.

const PATHS = {
  contacts: "M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6.5 7c.6-3 3.2-4.8 6.5-4.8s5.9 1.8 6.5 4.8",
  accounts:
    "M3 17.5h14M4.5 17.5V4.2c0-.7.5-1.2 1.2-1.2h5.1c.7 0 1.2.5 1.2 1.2v13.3M12 8h2.8c.7 0 1.2.5 1.2 1.2v8.3M7.3 6.5h1.9M7.3 10h1.9M7.3 13.5h1.9",
  tasks: "M3.5 5.5 5 7l2.7-3M3.5 13.5 5 15l2.7-3M11 6h6M11 14h6",
  search: "M9 14.5A5.5 5.5 0 1 0 9 3.5a5.5 5.5 0 0 0 0 11Zm4-1.5 4 4",
  plus: "M10 4v12M4 10h12",
  back: "M12.5 4.5 7 10l5.5 5.5",
  close: "m5 5 10 10M15 5 5 15",
  trash: "M4 6h12M8 6V4h4v2M5.5 6l.7 10.5h7.6L14.5 6M8.5 9v4.5M11.5 9v4.5",
  sync: "M16 8a6.3 6.3 0 0 0-11.6-1.5M4 3.5v3.3h3.3M4 12a6.3 6.3 0 0 0 11.6 1.5M16 16.5v-3.3h-3.3",
  waiting: "M10 3.5v9M6.5 9 10 12.5 13.5 9M4 16.5h12",
  upload: "M10 12.5v-9M6.5 7 10 3.5 13.5 7M4 16.5h12",
  conflict: "M6 3.5v5.2c0 2 4 2.6 4 4.6v3.2M14 3.5v5.2c0 2-4 2.6-4 4.6",
  warning: "M10 3.5 2.8 16h14.4L10 3.5Zm0 4.7v3.6m0 2.2v.2",
  check: "m4 10.5 4 4 8-9",
  cloud: "M6 15.5h8a3.3 3.3 0 0 0 .5-6.56 4.8 4.8 0 0 0-9.1-.3A3.5 3.5 0 0 0 6 15.5Z",
  plane: "m3 10.5 14-6.5-4.5 13-3-5.5-6.5-1Z",
  menu: "M3.5 6h13M3.5 10h13M3.5 14h13",
  user: "M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6.5 7c.6-3 3.2-4.8 6.5-4.8s5.9 1.8 6.5 4.8",
  install: "M10 3.5v8M7 8.5l3 3 3-3M4 12.5v3c0 .6.4 1 1 1h10c.6 0 1-.4 1-1v-3",
  phone:
    "M4.5 3.5h3l1.2 3.8-1.9 1.3a9.5 9.5 0 0 0 4.6 4.6l1.3-1.9 3.8 1.2v3c0 .6-.4 1-1 1A12 12 0 0 1 3.5 4.5c0-.6.4-1 1-1Z",
  mail: "M3 5.5h14v9.5H3zM3.5 6l6.5 5 6.5-5",
  external: "M11.5 4H16v4.5M16 4l-7 7M8 5H5c-.6 0-1 .4-1 1v9c0 .6.4 1 1 1h9c.6 0 1-.4 1-1v-3",
  up: "m5.5 12 4.5-4.5 4.5 4.5",
  down: "M5.5 8 10 12.5 14.5 8",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.6"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}

/** The braid. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 512 512" width="32" height="32" aria-hidden="true" focusable="false">
      <rect width="512" height="512" rx="112" fill="#0f5c57" />
      <g fill="none" stroke-width="44" stroke-linecap="round">
        <path stroke="#f3c775" d="M160 96c0 80 192 80 192 160s-192 80-192 160" />
        <path stroke="#0f5c57" stroke-width="76" d="M352 96c0 80-192 80-192 160" />
        <path stroke="#e9f2ee" d="M352 96c0 80-192 80-192 160s192 80 192 160" />
        <path stroke="#0f5c57" stroke-width="76" stroke-linecap="butt" d="M322 305c-32 24-92 36-132 66" />
        <path stroke="#f3c775" stroke-linecap="butt" d="M352 256c0 80-192 80-192 160" />
      </g>
    </svg>
  );
}
