// What a person likes, kept in this browser: language, colours, spoken answers.
import { useSyncExternalStore } from "react";
import type { Language } from "../i18n/i18n.tsx";
import { everywhere } from "../session/storage.ts";

export interface Taste {
  language: Language;
  theme: "system" | "light" | "dark";
  speak: boolean;
}

const KEY = "microcos.taste.v1";
const listeners = new Set<() => void>();
const SERVER: Taste = { language: "en", theme: "system", speak: false };
let current: Taste | null = null;

function read(): Taste {
  current ??= { ...SERVER, language: spoken(), ...(JSON.parse(everywhere.getItem(KEY) ?? "{}") as Partial<Taste>) };
  return current;
}

function spoken(): Language {
  return navigator.language.toLowerCase().startsWith("de") ? "de" : "en";
}

export function setTaste(change: Partial<Taste>): void {
  current = { ...read(), ...change };
  everywhere.setItem(KEY, JSON.stringify(current));
  paint();
  for (const listener of listeners) listener();
}

/** Puts the colours on the page; the style sheet does the rest. */
export function paint(): void {
  document.documentElement.dataset.theme = read().theme;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useTaste = (): Taste => useSyncExternalStore(subscribe, read, () => SERVER);
