// A trip and its flights, ranked; one of them can be selected. Selecting books nothing and pays nothing.
import { useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { useLive } from "../live/context.tsx";
import { newId } from "../session/ids.ts";
import { Icon } from "../ui/Icon.tsx";
import { useNotify } from "../ui/notify.tsx";
import type { Flight, Trip } from "../wire.ts";

const SHOWN = 3;

export function TripCard({ trip }: { trip: Trip }) {
  const { t } = useI18n();
  const live = useLive();
  const notify = useNotify();
  const [all, setAll] = useState(false);
  const [asked, setAsked] = useState<string | null>(null);
  const flights = trip.ranked_flights;
  const chosen = flights.find((flight) => flight.flight_id === trip.selected_flight_id);
  const departure = chosen?.departs?.slice(0, 10) ?? trip.departure_date;
  const select = async (flight: Flight) => {
    setAsked(flight.flight_id);
    try {
      const path = `/api/v1/travel/${trip.workflow_id}/select/${flight.flight_id}`;
      await live.client.json(path, { method: "POST", body: {}, key: newId("k") });
      live.change((brain) => ({
        ...brain,
        trips: { ...brain.trips, [trip.workflow_id]: { ...trip, selected_flight_id: flight.flight_id } },
      }));
      void live.queries.invalidateQueries({ queryKey: ["trips"] });
    } catch (error) {
      notify(error);
    }
    setAsked(null);
  };
  return (
    <div role="group" className="card trip" aria-label={t("tripTo", { place: trip.destination })}>
      <header>
        <Icon name="plane" />
        <span className="card-title">{t("tripTo", { place: trip.destination })}</span>
        {departure !== "" && <span className="state">{t.day(departure)}</span>}
      </header>
      {flights.length === 0 && <p className="quiet">{t("noFlightsYet")}</p>}
      <ul className="flights">
        {(all ? flights : flights.slice(0, SHOWN)).map((flight) => (
          <FlightRow
            key={flight.flight_id}
            flight={flight}
            selected={trip.selected_flight_id === flight.flight_id}
            busy={asked !== null}
            onSelect={trip.selected_flight_id ? null : () => void select(flight)}
          />
        ))}
      </ul>
      {flights.length > SHOWN && (
        <button type="button" className="link" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? t("fewer") : t("moreFlights", { count: flights.length - SHOWN })}
        </button>
      )}
    </div>
  );
}

function FlightRow(props: { flight: Flight; selected: boolean; busy: boolean; onSelect: (() => void) | null }) {
  const { flight, selected, busy, onSelect } = props;
  const { t } = useI18n();
  const price = t.money(flight.price.amount, flight.price.currency);
  const name = `${flight.airline} ${flight.departure}`;
  return (
    <li className={selected ? "flight selected" : "flight"}>
      <div>
        <p>
          <strong>
            {flight.departure} – {flight.arrival}
          </strong>{" "}
          {flight.airline}
        </p>
        <p className="quiet">
          {flight.departs && `${t.day(flight.departs.slice(0, 10))} · `}
          {flight.origin && `${flight.origin} → ${flight.destination} · `}
          {flight.stops === undefined ? "" : flight.stops === 0 ? t("nonStop") : t("stops", { count: flight.stops })}
          {flight.duration_minutes !== undefined && ` · ${duration(flight.duration_minutes)}`}
        </p>
        {flight.reasoning && <p className="quiet">{flight.reasoning}</p>}
      </div>
      <div className="price">
        <strong>{price}</strong>
        {selected && <span className="state">{t("selected")}</span>}
        {onSelect && (
          <button
            type="button"
            disabled={busy}
            aria-label={t("selectFlight", { flight: name, price })}
            onClick={onSelect}
          >
            {t("select")}
          </button>
        )}
      </div>
    </li>
  );
}

function duration(minutes: number): string {
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}
