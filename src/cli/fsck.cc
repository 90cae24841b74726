#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/size_text.h"
#include "cli/command.h"
#include "cli/option_checks.h"
#include "cli/progress_bar.h"
#include "cli/table.h"
#include "cli/target.h"
#include "daemon/json.h"

namespace weir::cli {

namespace {

std::string detail_of(const Json& progress) {
  uint64_t done = json_number(progress, "done").value_or(0);
  uint64_t total = json_number(progress, "total").value_or(0);
  std::string phase = json_text(progress, "phase").value_or("");
  if (total > 0) return fmt::format("{}: {} of {}", phase, done, total);
  return done > 0 ? fmt::format("{}: {}", phase, done) : phase;
}

uint64_t found(const Json& result) { return json_number(result, "problem_count").value_or(0); }

uint64_t repaired(const Json& result) { return json_number(result, "repaired_count").value_or(0); }

/// Problems that are still there.
uint64_t left(const Json& result) { return found(result) - repaired(result); }

std::string found_and_repaired(const Json& result) {
  return fmt::format("{} found, {} repaired", counted(found(result), "problem"),
                     left(result) == 0 ? "all" : std::to_string(repaired(result)));
}

std::string describe(const Json& result) {
  auto number = [&](const char* key) { return json_number(result, key).value_or(0); };
  std::string text;
  if (auto problems = result.find("problems"); problems != result.end())
    for (const Json& problem : *problems)
      text +=
          fmt::format("{}: {}{}\n", json_text(problem, "kind").value_or(""), json_text(problem, "what").value_or(""),
                      json_flag(problem, "repaired")     ? " (repaired)"
                      : json_flag(problem, "repairable") ? " (can be repaired)"
                                                         : "");
  text += fmt::format("{}, {} with {} of content, {} ({}) in the store", counted(number("inodes"), "inode"),
                      counted(number("chunks"), "chunk"), format_bytes(number("content_bytes")),
                      counted(number("objects"), "object"), format_bytes(number("object_bytes")));
  if (json_flag(result, "deep")) text += fmt::format(", {} read and right", number("verified_objects"));
  if (json_flag(result, "clean")) return text + "\nclean\n";
  return text + (left(result) == 0 ? "\n" + found_and_repaired(result) + "\n" : "\n");
}

class Fsck : public Command {
 public:
  Manual manual() const override {
    return {
        .name = "fsck",
        .summary = "check a volume, and repair it",
        .arguments = "PATH|URL",
        .description =
            "Checks that names, inodes, references and chunks of the metadata agree with each other, that every stored "
            "chunk has "
            "its object of the right size, that every chunk that is not stored yet has its bytes in this machine's "
            "cache, and "
            "that the store has no objects that belong to nothing, and the cache no files. With --deep every object "
            "and every cached chunk is read and checked against its id.\n\n"
            "A mounted volume is checked by its daemon: what looks wrong is looked at several times, and reported if "
            "it stays. "
            "Repairing needs the volume unmounted. It mends the metadata where that loses nothing, writes objects "
            "again "
            "whose bytes the cache still has, uploads what was forgotten, drops damaged images whose content is "
            "stored, "
            "and removes objects and files that belong to nothing; what it cannot repair it reports with the path of "
            "the "
            "file, and finds again. docs/fsck.md lists every kind of problem.",
        .examples = {"weir fsck /data", "weir fsck rocksdb:///srv/weir/meta --deep --repair"},
        .failures = "Problems were found that are still there, or the check could not be done.",
    };
  }

  void add_options(CLI::App& app) override {
    app.add_option("PATH|URL", target_, "A path in a mounted volume, or the metadata URL of any volume.")
        ->required()
        ->check(not_empty("the path"));
    app.add_flag("--deep", deep_, "Read all objects and check what is in them.");
    app.add_flag("--repair", repair_, "Repair what can be repaired; the volume must not be mounted.");
  }

  Result<Outcome> run(bool quiet) override {
    ASSIGN_OR_RETURN(Target target, find_target(target_));
    if (repair_ && target.mounted())
      return error(Code::kBusy, "a mounted volume cannot be repaired; unmount it first with: weir umount {}",
                   target.mount_point);
    ProgressBar bar("checking", quiet);
    auto result =
        ask(target, Json{{"command", "fsck"}, {"deep", deep_}, {"repair", repair_}}, [&](const Json& progress) {
          bar.show(json_number(progress, "done").value_or(0), json_number(progress, "total").value_or(0),
                   detail_of(progress));
          return true;
        });
    TRY(result);
    Outcome outcome{json_document(*result), describe(*result), 0, ""};
    if (left(*result) > 0) {
      outcome.exit_code = 1;
      outcome.complaint = found_and_repaired(*result);
    }
    return outcome;
  }

 private:
  std::string target_;
  bool deep_ = false;
  bool repair_ = false;
};

}  // namespace

std::unique_ptr<Command> make_fsck() { return std::make_unique<Fsck>(); }

}  // namespace weir::cli
