// What the browser has measured of the page so far.

/// Entries of the past; a browser that does not know the type has none.
const past = (type, more) => new Promise((resolve) => {
  if (!(PerformanceObserver.supportedEntryTypes || []).includes(type)) return resolve(null);
  const entries = [];
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
  observer.observe({ type, buffered: true, ...more });
  setTimeout(() => { entries.push(...observer.takeRecords()); observer.disconnect(); resolve(entries); }, 20);
});

/// Source: web.dev, "Cumulative Layout Shift": the worst window of shifts that follow within one
/// second, five seconds long at most.
function layoutShift(entries) {
  let worst = 0, sum = 0, first = 0, last = 0;
  for (const { startTime, value, hadRecentInput } of entries) {
    if (hadRecentInput) continue;
    if (sum > 0 && startTime - last < 1000 && startTime - first < 5000) sum += value;
    else { sum = value; first = startTime; }
    last = startTime;
    worst = Math.max(worst, sum);
  }
  return worst;
}

const hasPainted = () =>
  performance.getEntriesByType("paint").some((paint) => paint.name === "first-contentful-paint");

async function vitals() {
  // A page that has only just loaded is about to be painted for the first time.
  for (let wait = 0; wait < 10 && !hasPainted() && document.body && document.body.innerText; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const [paints, largest, shifts, tasks, events] = await Promise.all([
    past("paint"), past("largest-contentful-paint"), past("layout-shift"), past("longtask"),
    past("event", { durationThreshold: 16 }),
  ]);
  const [navigation] = performance.getEntriesByType("navigation");
  const first = (paints || []).find((paint) => paint.name === "first-contentful-paint");
  const interactions = (events || []).filter((event) => event.interactionId > 0);
  return {
    url: location.href,
    begun: performance.timeOrigin,
    ttfb: navigation && navigation.responseStart > 0 ? navigation.responseStart : null,
    load: navigation && navigation.loadEventEnd > 0 ? navigation.loadEventEnd : null,
    fcp: first ? first.startTime : null,
    lcp: largest && largest.length > 0 ? largest[largest.length - 1].startTime : null,
    cls: shifts ? layoutShift(shifts) : null,
    inp: interactions.length > 0 ? Math.max(...interactions.map((event) => event.duration)) : null,
    longTasks: tasks ? tasks.length : null,
  };
}
return vitals();
