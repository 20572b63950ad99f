// Keys that the page takes, unless somebody types a text or a part of the page has taken them.

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName));

/** Whether a key is meant for the browser or the system, such as Alt and ← for the page before. */
export const isModified = (event: KeyboardEvent): boolean => event.ctrlKey || event.metaKey || event.altKey;

/** Whether a key is meant for the page: without modifiers, not typed into a field, and not taken already. */
export const isPlain = (event: KeyboardEvent): boolean =>
  !(isModified(event) || event.defaultPrevented || isTyping(event.target));
