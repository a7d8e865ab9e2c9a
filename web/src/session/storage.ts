// What this browser keeps. Where it forbids that, or has no room, a value lasts as long as the page: nobody is refused
// the page for it.
export type Keeping = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export class Kept implements Keeping {
  private readonly open: () => Storage;
  /** What the browser did not take. It stands before what the browser has under the same name. */
  private readonly ofPage = new Map<string, string>();

  /** `open` may throw, as reading `localStorage` does where site data is blocked. */
  constructor(open: () => Storage) {
    this.open = open;
  }

  getItem(key: string): string | null {
    return this.ofPage.get(key) ?? this.ask((storage) => storage.getItem(key)) ?? null;
  }

  setItem(key: string, value: string): void {
    try {
      this.open().setItem(key, value);
      this.ofPage.delete(key);
    } catch {
      this.ofPage.set(key, value);
    }
  }

  removeItem(key: string): void {
    this.ofPage.delete(key);
    this.ask((storage) => storage.removeItem(key));
  }

  forget(isMeant: (key: string) => boolean): void {
    const stored = this.ask((storage) =>
      Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? ""),
    );
    for (const key of [...this.ofPage.keys(), ...(stored ?? [])]) if (isMeant(key)) this.removeItem(key);
  }

  private ask<T>(question: (storage: Storage) => T): T | null {
    try {
      return question(this.open());
    } catch {
      return null;
    }
  }
}

/** What every tab sees. */
export const everywhere = new Kept(() => localStorage);
/** What this tab alone sees, also after a reload. */
export const here = new Kept(() => sessionStorage);

/** Under which name the draft of a conversation is kept. */
export const draftKey = (userId: string, conversationId: string): string =>
  `microcos.draft.${userId}.${conversationId}`;
