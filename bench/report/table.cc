#include "bench/report/table.h"

#include <fmt/format.h>

namespace weir::bench {

namespace {

constexpr int kNameColumns = 50;

/// Three digits that count.
std::string number(std::optional<double> value) {
  if (!value) return "-";
  if (*value >= 100) return fmt::format("{:.0f}", *value);
  if (*value >= 10) return fmt::format("{:.1f}", *value);
  return fmt::format("{:.2f}", *value);
}

const char* base_name(Target::Of of) {
  switch (of) {
    case Target::Of::kNothing: return "";
    case Target::Of::kRaw: return " x raw";
    case Target::Of::kFloor: return " x floor";
  }
  return "";
}

}  // namespace

std::string Table::head() const {
  std::string text = fmt::format("{:{}} {:>8} {:>9} {:>9} {:>6} {:>9} {:>6}", "", kNameColumns, "", "weir", "raw",
                                 "ratio", "floor", "ratio");
  for (const std::string& other : others_) text += fmt::format(" {:>12}", other);
  return text + "  target\n";
}

std::string Table::verdict(const Figures& figures) {
  std::string text;
  for (const Target& target : figures.measurement.targets) {
    const auto reached = figures.reached(target);
    if (!reached) continue;
    const bool met = figures.met(target, *reached);
    ++(met ? met_ : missed_);
    text += fmt::format("  {} {}{} {}", figures.measurement.better == Better::kMore ? ">=" : "<=", target.bound,
                        base_name(target.of), met ? "met" : "MISSED");
  }
  return text;
}

std::string Table::line(const Figures& figures) {
  std::string text;
  if (group_ != figures.group) text = fmt::format("{}\n", figures.group);
  group_ = figures.group;
  text += fmt::format("  {:{}} {:>8} {:>9} {:>9} {:>6} {:>9} {:>6}", figures.measurement.name, kNameColumns - 2,
                      figures.measurement.unit, number(figures.at("weir")), number(figures.at("raw")),
                      number(figures.share_of("raw")), number(figures.at("floor")), number(figures.share_of("floor")));
  for (const std::string& other : others_) text += fmt::format(" {:>12}", number(figures.at(other)));
  return text + verdict(figures) + "\n";
}

std::string Table::foot() const { return fmt::format("{} targets met, {} missed\n", met_, missed_); }

}  // namespace weir::bench
