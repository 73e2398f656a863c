/**
 * Keys that work wherever the focus is, also in a field: F9 stops, F8 pauses and goes on. For the
 * participant Escape stops, too.
 */
export function watchKeys(lever, seat) {
  addEventListener("keydown", (press) => {
    const stops = press.key === "F9" || (press.key === "Escape" && seat.taken);
    if (stops && lever.may("stop")) {
      press.preventDefault();
      lever.stop();
    } else if (press.key === "F8" && lever.may("pause") && !press.repeat) {
      press.preventDefault();
      lever.pause();
    }
  });
}
