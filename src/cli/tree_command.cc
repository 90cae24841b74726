#include "cli/tree_command.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/size_text.h"
#include "cli/option_checks.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/target.h"

namespace weir::cli {

namespace {

constexpr const char* kFields[] = {"files_total", "files_done", "bytes_total", "bytes_done", "failed"};

std::string detail_of(const Json& progress) {
  auto number = [&](const char* key) { return json_number(progress, key).value_or(0); };
  return fmt::format("{} of {} files, {} of {}", number("files_done"), number("files_total"),
                     format_bytes(number("bytes_done")), format_bytes(number("bytes_total")));
}

}  // namespace

struct TreeCommand::Totals {
  Json sums = Json::object();
  std::string last_error;

  uint64_t get(const char* key) const { return json_number(sums, key).value_or(0); }
  void add(const Json& result) {
    for (const char* key : kFields) sums[key] = get(key) + json_number(result, key).value_or(0);
    if (auto what = json_text(result, "last_error")) last_error = *what;
  }
};

void TreeCommand::add_paths(CLI::App& app, const std::string& what) {
  app.add_option("PATH", paths_, what)->required()->check(not_empty("the path"));
}

Status TreeCommand::work_on(const std::string& path, bool quiet, Totals& totals) {
  ASSIGN_OR_RETURN(LivePath live, find_live_path(path));
  Json request = Json::object();
  fill_request(request);
  request["inode"] = live.inode;
  ProgressBar bar(label(), quiet);
  auto result = ask(live.target, request, [&](const Json& progress) {
    if (auto why = json_text(progress, "waits")) bar.say(*why);
    bar.show(json_number(progress, "bytes_done").value_or(0), json_number(progress, "bytes_total").value_or(0),
             detail_of(progress));
    return true;
  });
  TRY(result);
  totals.add(*result);
  return {};
}

Result<Outcome> TreeCommand::run(bool quiet) {
  Totals totals;
  std::vector<Error> missed;  // paths of which nothing could be done
  for (const std::string& path : paths_) {
    Status worked = work_on(path, quiet, totals);
    if (!worked) missed.push_back(worked.error());
  }
  if (missed.size() == paths_.size()) return error(missed[0].code, "{}", missed[0].what);
  Outcome outcome = outcome_of(totals);
  if (!missed.empty()) {
    outcome.exit_code = 1;
    outcome.complaint = missed[0].what + (outcome.complaint.empty() ? "" : "; " + outcome.complaint);
  }
  return outcome;
}

Outcome TreeCommand::outcome_of(const Totals& totals) const {
  uint64_t failed = totals.get("failed");
  Json json = totals.sums;
  if (!totals.last_error.empty()) json["last_error"] = totals.last_error;
  Outcome outcome{json_document(json),
                  describe_done(totals.get("files_done") - failed, format_bytes(totals.get("bytes_done"))) + "\n", 0,
                  ""};
  if (failed > 0) {
    outcome.exit_code = 1;
    outcome.complaint = fmt::format("{} {}{}{}", counted(failed, "file"), describe_failed(),
                                    totals.last_error.empty() ? "" : ": ", totals.last_error);
  }
  return outcome;
}

}  // namespace weir::cli
