#include "bench/rounds.h"

#include <algorithm>
#include <atomic>

namespace weir::bench {

namespace {

std::atomic<bool> interrupted = false;

bool takes_part(const Group& group, const Place& place) {
  return std::any_of(group.measurements.begin(), group.measurements.end(),
                     [&](const Measurement& measurement) { return measurement.is_for(place.kind()); });
}

Status for_each_place(const Group& group, const Places& places, const std::function<Status(Place&)>& step) {
  if (!step) return {};
  for (const auto& place : places)
    if (takes_part(group, *place)) TRY(step(*place));
  return {};
}

Result<Figures> measure(const Group& group, const Measurement& measurement, const Places& places, int rounds) {
  Figures figures{group.name, measurement, {}};
  const int count = measurement.rounds_max > 0 ? std::min(rounds, measurement.rounds_max) : rounds;
  for (int round = 0; round < count; ++round) {
    for (const auto& place : places) {
      if (!measurement.is_for(place->kind())) continue;
      if (interrupted) return error(Code::kInterrupted, "interrupted");
      auto figure = measurement.run(*place);
      if (!figure)
        return error(figure.error().code, "'{}' in {}: {}", measurement.name, place->label(), figure.error().what);
      figures.samples[place->label()].push_back(*figure);
    }
  }
  return figures;
}

}  // namespace

void interrupt_rounds() { interrupted = true; }

Status run_group(const Group& group, const Places& places, int rounds,
                 const std::function<void(const Figures&)>& report) {
  TRY(for_each_place(group, places, group.prepare));
  for (const Measurement& measurement : group.measurements) {
    ASSIGN_OR_RETURN(const Figures figures, measure(group, measurement, places, rounds));
    report(figures);
  }
  return for_each_place(group, places, group.clean);
}

}  // namespace weir::bench
