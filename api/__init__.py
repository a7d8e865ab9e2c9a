"""HTTP only: routes, the strict edge around them, and the composition root. No rule of the domain lives here."""
