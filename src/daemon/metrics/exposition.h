#pragma once

#include <string>
#include <utility>
#include <vector>

/// Figures as Prometheus reads them (text exposition format 0.0.4).
namespace weir {

struct Sample {
  std::vector<std::pair<std::string, std::string>> labels;  // names are [a-z_]+, values anything
  double value = 0;
};

/// Samples of one name. Counters end with _total, and start at 0 with each daemon.
struct Metric {
  enum class Type { kGauge, kCounter };

  std::string name;  // "weir_upload_backlog_bytes": the unit last
  Type type = Type::kGauge;
  std::string help;  // half a sentence
  std::vector<Sample> samples;
};

inline constexpr const char* kExpositionContentType = "text/plain; version=0.0.4; charset=utf-8";

/// The whole text, each line with its end. A metric without samples is left out.
std::string exposition_text(const std::vector<Metric>& metrics);

}  // namespace weir
