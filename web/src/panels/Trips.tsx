// Trips ahead, with the flights that were found for them.
import { TripCard } from "../cards/TripCard.tsx";
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain } from "../live/context.tsx";
import { Missing } from "./Missing.tsx";
import { useTrips } from "./lists.ts";

const tripsOf = (brain: Brain) => brain.trips;

export function Trips() {
  const { t } = useI18n();
  const query = useTrips();
  const live = useBrain(tripsOf);
  const listed = query.data?.upcoming_trips ?? [];
  // Never an older state of a trip than the stream has brought.
  const trips = listed.map((trip) => {
    const known = live[trip.workflow_id];
    return known !== undefined && (known.version ?? 0) > (trip.version ?? 0) ? { ...trip, ...known } : trip;
  });
  return (
    <>
      <Missing query={query} empty={trips.length === 0} text={t("noTrips")} />
      {trips.map((trip) => (
        <TripCard key={trip.workflow_id} trip={trip} />
      ))}
    </>
  );
}
