#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "daemon/metrics/exposition.h"
#include "daemon/metrics/status_metrics.h"

namespace weir {
namespace {

TEST(Exposition, IsAsPrometheusReadsIt) {
  const std::vector<Metric> metrics = {
      {"a_bytes", Metric::Type::kGauge, "first\nline, \\ and \"", {{{}, 12}}},
      {"none", Metric::Type::kGauge, "nothing", {}},
      {"b_total",
       Metric::Type::kCounter,
       "by kind",
       {{{{"kind", "one"}}, 1e15}, {{{"kind", "a\"b\\c\nd"}, {"other", ""}}, 0.25}}},
  };
  EXPECT_EQ(exposition_text(metrics),
            "# HELP a_bytes first\\nline, \\\\ and \"\n"
            "# TYPE a_bytes gauge\n"
            "a_bytes 12\n"
            "# HELP b_total by kind\n"
            "# TYPE b_total counter\n"
            "b_total{kind=\"one\"} 1000000000000000\n"
            "b_total{kind=\"a\\\"b\\\\c\\nd\",other=\"\"} 0.25\n");
}

Json some_status() {
  Json status;
  status["mount_point"] = "/data";
  status["version"] = "1.2";
  status["uptime_s"] = 7;
  status["volume"] = {{"name", "models"}, {"id", "abc"}};
  status["upload"] = {{"backlog_bytes", 4096}, {"oldest_age_ms", 1500}, {"last_error", "text is no figure"}};
  status["reads"] = {{"cache_bytes", 10}, {"store_bytes", 20}};
  status["object_store"] = {{"reads_per_second_max", 0}, {"writes_per_second_max", 12.5}};
  status["kernel"] = {{"requests", {{"LOOKUP", 3}, {"READ", 4}}}};
  status["reports"] = {"one", "two"};
  return status;
}

TEST(StatusMetrics, HaveTheFiguresOfTheStatusInBaseUnits) {
  const std::string text = status_metrics(some_status());
  for (const char* line :
       {"weir_info{volume=\"models\",volume_id=\"abc\",mount_point=\"/data\",version=\"1.2\"} 1\n",
        "weir_uptime_seconds 7\n", "weir_upload_backlog_bytes 4096\n", "weir_upload_oldest_age_seconds 1.5\n",
        "weir_read_bytes_total{from=\"cache\"} 10\n", "weir_read_bytes_total{from=\"store\"} 20\n",
        "weir_store_requests_per_second_max{kind=\"writes\"} 12.5\n",
        "weir_kernel_requests_total{operation=\"READ\"} 4\n", "weir_reports 2\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
  EXPECT_EQ(text.find("weir_cache_images"), std::string::npos) << "what the status has not is left out";
}

// No std::regex: where a sanitizer is compiled in, gcc 12 warns of the library's own code, and nothing is built.
bool has_form(const std::string& line, const char* expression) {
  return ::testing::Matcher<const std::string&>(::testing::MatchesRegex(expression)).Matches(line);
}

TEST(StatusMetrics, EveryLineHasTheFormAndEveryNameItsType) {
  std::istringstream lines(status_metrics(some_status()));
  std::set<std::string> typed;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) continue;
    if (line.starts_with("# TYPE ")) {
      ASSERT_TRUE(has_form(line, "# TYPE [a-z_]+ (gauge|counter)")) << line;
      std::istringstream words(line);
      std::string hash, word, name, type;
      words >> hash >> word >> name >> type;
      EXPECT_TRUE(typed.insert(name).second) << line << " comes twice";
      EXPECT_EQ(name.ends_with("_total"), type == "counter") << line;
      continue;
    }
    ASSERT_TRUE(has_form(line, R"([a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+)")) << line;
    EXPECT_TRUE(typed.contains(line.substr(0, line.find_first_of("{ ")))) << line;
  }
  EXPECT_GT(typed.size(), 6u);
}

}  // namespace
}  // namespace weir
