// What the API sends, as far as this client reads it. The API's own description is at /schema.

export type MessageStatus = "accepted" | "queued" | "streaming" | "completed" | "failed" | "stopped";
export type ActionStatus = "proposed" | "committed" | "refused" | "undone";
export type Payload = Record<string, unknown>;

export interface Action {
  id: string;
  kind: string;
  status: ActionStatus;
  payload: Payload | null;
  resultId?: string;
  reason?: string;
  /** Streamed ahead of its commit: nobody is asked about it. */
  working?: boolean;
}

export interface Message {
  id: string;
  role: "user" | "assistant";
  text: string | null;
  status: MessageStatus;
  conversationId: string | null;
  channel: string;
  origin: string;
  actions: Action[];
  createdAt: string;
  version: number;
  inReplyTo?: string;
  supersedes?: string;
  supersededBy?: string;
  clientMessageId?: string;
  canned?: boolean;
  code?: string;
  redacted?: boolean;
  /** Of a running reply: the attempt that `text` is of. */
  attempt?: number;
}

export interface Task {
  id: string;
  title: string;
  due: string | null;
  timezone: string | null;
  dueAt: string | null;
  recurrence: string | null;
  tags: string[];
  status: "open" | "done";
  priority: "low" | "normal" | "high";
  notes: string | null;
  assignee: string | null;
  createdFrom: string | null;
  createdAt: string;
  version: number;
}

export interface Memory {
  id: string;
  type: "fact" | "preference" | "tag";
  key: string;
  value: string;
  messageId: string | null;
  pinnedAt: string;
  version: number;
}

export interface Note {
  id: string | null;
  title: string | null;
  text: string | null;
  version: number;
}

export interface Plan {
  date: string;
  priorities: string[];
  todos: string[];
  notes: string[];
  version: number;
}

export interface Conversation {
  id: string;
  title: string | null;
  main: boolean;
  archived: boolean;
  createdAt: string;
  version: number;
  messageCount?: number;
  lastMessageAt?: string;
}

export interface CalendarEvent {
  id: string;
  title: string;
  start: string;
  end: string;
  timezone: string;
  allDay: boolean;
  description: string | null;
  location: string | null;
  recurrence: string | null;
  source: string;
  version: number;
}

export interface Flight {
  rank?: number;
  flight_id: string;
  airline: string;
  flight_numbers?: string[];
  origin?: string;
  destination?: string;
  departure: string;
  arrival: string;
  departs?: string;
  duration_minutes?: number;
  stops?: number;
  price: { amount: number; currency: string };
  expires_at?: string;
  score?: number;
  reasoning?: string;
}

export interface Trip {
  travel_event_id: string | null;
  destination: string;
  departure_date: string;
  workflow_id: string;
  ranked_flights: Flight[];
  selected_flight_id?: string | null;
  steps?: { step: string; status: string }[];
  version?: number;
}

export interface Usage {
  day: string;
  tokens: { used: number; reserved: number; limit: number };
  calls: number;
  searches: { used: number; limit: number };
  version: number;
}

export interface State {
  userId: string;
  tasks: Task[];
  notes: Note[];
  messages: Message[];
  preferences: Record<string, unknown>;
  pinnedMemories: Memory[];
  planCache?: Plan[] | null;
  version: number;
}

/** One event of the stream. `data` is what the frame's name promises; the reducer reads it with care. */
export interface Frame {
  name: string;
  id: string | null;
  data: Payload;
}
