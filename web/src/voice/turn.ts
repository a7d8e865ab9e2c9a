// Which tab speaks an answer that several of them show: the one that was looked at last.
import { newId } from "../session/ids.ts";
import { type Keeping, everywhere } from "../session/storage.ts";

const KEY = "microcos.speaker";

export class Turn {
  private readonly storage: Keeping;
  private readonly tab = newId("tab");

  constructor(storage: Keeping) {
    this.storage = storage;
  }

  readonly take = (): void => this.storage.setItem(KEY, this.tab);
  /** For a tab that closes: whoever is left may speak. */
  readonly leave = (): void => {
    if (this.storage.getItem(KEY) === this.tab) this.storage.removeItem(KEY);
  };

  isMine(): boolean {
    const whose = this.storage.getItem(KEY);
    return whose === null || whose === this.tab;
  }
}

export const turn = new Turn(everywhere);

/** Takes the turn whenever this tab is looked at. Returns what ends that. */
export function watchTurn(): () => void {
  if (document.hasFocus()) turn.take();
  window.addEventListener("focus", turn.take);
  window.addEventListener("pagehide", turn.leave);
  return () => {
    window.removeEventListener("focus", turn.take);
    window.removeEventListener("pagehide", turn.leave);
  };
}
