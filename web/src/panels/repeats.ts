// How often something repeats, in words; the part of RFC 5545's rules that people say.
import type { Translate } from "../i18n/i18n.tsx";

const UNITS: Record<string, "day" | "week" | "month" | "year"> = {
  DAILY: "day",
  WEEKLY: "week",
  MONTHLY: "month",
  YEARLY: "year",
};

/** The rule itself where it is of another kind. */
export function repeats(t: Translate, rule: string): string {
  const part = (name: string) => new RegExp(`(?:^|;|:)${name}=([^;]+)`).exec(rule)?.[1] ?? "";
  const unit = UNITS[part("FREQ")];
  if (unit === undefined) return rule;
  const count = Number(part("INTERVAL") || 1);
  const often = count === 1 ? t(`every_${unit}`) : t("every", { span: t.span(count, unit) });
  // Only of a week: "the first Monday" of a month is said by its date.
  const days = unit === "week" ? part("BYDAY").split(",").flatMap(dayNamed) : [];
  return days.length === 0 ? often : `${often} (${days.map(t.weekday).join(", ")})`;
}

/** A Monday is the first of January 2024. */
function dayNamed(name: string): string[] {
  const index = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"].indexOf(name);
  return index < 0 ? [] : [`2024-01-0${index + 1}`];
}
