#include "bench/report/json.h"

#include <sys/utsname.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace weir::bench {

namespace {

using Json = nlohmann::ordered_json;

Json describe_machine() {
  utsname names{};
  ::uname(&names);
  return {{"kernel", names.release}, {"machine", names.machine}, {"cores", std::thread::hardware_concurrency()}};
}

const char* base_name(Target::Of of) {
  switch (of) {
    case Target::Of::kNothing: return "value";
    case Target::Of::kRaw: return "raw";
    case Target::Of::kFloor: return "floor";
  }
  return "";
}

Json describe_targets(const Figures& figures) {
  Json targets = Json::array();
  for (const Target& target : figures.measurement.targets) {
    const auto reached = figures.reached(target);
    if (!reached) continue;
    targets.push_back({{"of", base_name(target.of)},
                       {figures.measurement.better == Better::kMore ? "at_least" : "at_most", target.bound},
                       {"reached", *reached},
                       {"met", figures.met(target, *reached)}});
  }
  return targets;
}

Json describe(const Figures& figures) {
  Json json;
  json["group"] = figures.group;
  json["name"] = figures.measurement.name;
  json["unit"] = figures.measurement.unit;
  json["more_is_better"] = figures.measurement.better == Better::kMore;
  for (const auto& [label, samples] : figures.samples)
    json["places"][label] = {{"median", median(samples)}, {"samples", samples}};
  if (const auto share = figures.share_of("raw")) json["to_raw"] = *share;
  if (const auto share = figures.share_of("floor")) json["to_floor"] = *share;
  json["targets"] = describe_targets(figures);
  return json;
}

}  // namespace

std::string json_of(const std::vector<Figures>& all, bool passthrough) {
  Json json;
  json["machine"] = describe_machine();
  json["passthrough"] = passthrough;
  json["measurements"] = Json::array();
  for (const Figures& figures : all) json["measurements"].push_back(describe(figures));
  return json.dump(2) + "\n";
}

}  // namespace weir::bench
