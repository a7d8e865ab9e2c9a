// Words and formats in the reader's language. English has every key; German must have the same (its type says so).
import { type ReactNode, createContext, useContext, useEffect, useMemo } from "react";
import { useTaste } from "../ui/taste.ts";
import { de } from "./de.ts";
import { en } from "./en.ts";

export type Key = keyof typeof en;
export type Language = "en" | "de";
type Values = Record<string, string | number>;

export interface Translate {
  (key: Key, values?: Values): string;
  /** For keys that come from the server: its own text where we have none. */
  maybe(key: string, otherwise: string): string;
  date(iso: string): string;
  day(iso: string): string;
  weekday(iso: string): string;
  /** So many days, weeks, months or years. */
  span(count: number, unit: string): string;
  money(amount: number, currency: string): string;
  number(value: number): string;
}

const WORDS: Record<Language, Record<Key, string>> = { en, de };

export function translator(language: Language): Translate {
  const words = WORDS[language];
  const locale = typeof navigator === "undefined" ? language : localeOf(language, navigator.languages);
  const t = (key: Key, values: Values = {}) =>
    words[key].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
  const format = (options: Intl.DateTimeFormatOptions) => {
    const made = new Intl.DateTimeFormat(locale, options);
    return (date: Date) => made.format(date);
  };
  // The year is said where it is not this one.
  const dated = (options: Intl.DateTimeFormatOptions) => {
    const [short, long] = [format(options), format({ ...options, year: "numeric" })];
    return (iso: string) => {
      const date = dateOf(iso);
      return (date.getFullYear() === new Date().getFullYear() ? short : long)(date);
    };
  };
  const weekday = format({ weekday: "short" });
  return Object.assign(t, {
    maybe: (key: string, otherwise: string) => (Object.hasOwn(words, key) ? words[key as Key] : otherwise),
    date: dated({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
    day: dated({ weekday: "short", day: "numeric", month: "short" }),
    weekday: (iso: string) => weekday(dateOf(iso)),
    span: (count: number, unit: string) =>
      new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(count),
    money: (amount: number, currency: string) =>
      new Intl.NumberFormat(locale, { style: "currency", currency, maximumFractionDigits: 2 }).format(amount),
    number: (value: number) => new Intl.NumberFormat(locale).format(value),
  });
}

/** A day without a time is one on the reader's own clock. */
const dateOf = (iso: string): Date => new Date(iso.length === 10 ? `${iso}T00:00` : iso);

/** Dates as the reader's own region writes them, where it speaks the language that was chosen. */
function localeOf(language: Language, spoken: readonly string[]): string {
  return spoken.find((one) => one.toLowerCase().startsWith(language)) ?? language;
}

const Context = createContext<{ t: Translate; language: Language }>({ t: translator("en"), language: "en" });

export function I18nProvider({ children }: { children: ReactNode }) {
  const { language } = useTaste();
  const value = useMemo(() => ({ t: translator(language), language }), [language]);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export const useI18n = () => useContext(Context);
