// aimock as an MCP server that sells flights as Duffel's does, and fails as the airport of departure says. Prints its
// address. `forget` makes it lose all sessions, as a restart would.
import { MCPMock } from "@copilotkit/aimock/mcp";

const mock = new MCPMock();
const inputSchema = { type: "object", properties: { params: { type: "object" } }, required: ["params"] };

const slice = (origin, destination, day) => ({
  origin,
  destination,
  departure: `${day}T09:00:00`,
  arrival: `${day}T10:20:00`,
  duration: "PT1H20M",
  carrier: "Aimock Air",
  stops: 0,
  stops_description: "Non-stop",
  connections: [],
});

const found = ({ origin, destination, departure_date: day }) =>
  JSON.stringify({
    request_id: "orq_1",
    offers: [
      {
        offer_id: `off_${origin}_${day}`,
        price: { amount: "123.45", currency: "USD" },
        slices: [slice(origin, destination, day)],
      },
    ],
  });

const answers = {
  JFK: found,
  LGA: () => {
    throw new Error("the airline is on strike");
  },
  EWR: () => new Promise(() => {}),
  SWF: () => "I found some great flights for you!",
  ISP: (params) => found(params).slice(0, 80),
  HPN: () => JSON.stringify({ offers: [{ offer_id: "x".repeat(3_000_000) }] }),
  BDL: (params) => [{ type: "image", data: "AAAA", mimeType: "image/png" }, { type: "text", text: found(params) }],
};

function furnish() {
  mock.addTool({ name: "search_flights", description: "Search for flights.", inputSchema });
  mock.onToolCall("search_flights", ({ params }) => answers[params.origin](params));
  mock.addTool({ name: "forget", description: "Lose all sessions.", inputSchema: { type: "object" } });
  mock.onToolCall("forget", () => {
    mock.reset();
    furnish();
    return "true";
  });
}

furnish();
console.log(`listening ${await mock.start()}`);
