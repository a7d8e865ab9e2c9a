// What stands on the page before the client runs: in the prerendered document, and until there is something else.
export const Shell = () => <div className="shell">Micro CoS</div>;
