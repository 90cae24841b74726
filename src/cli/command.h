#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace weir::cli {

/// The parts of a command's manual page that its options do not say themselves.
struct Manual {
  std::string name;
  std::string summary;                // for the list of commands: half a line, no full stop
  std::string arguments;              // "META_URL MOUNTPOINT"
  std::string description;            // paragraphs, separated by empty lines
  std::vector<std::string> examples;  // "command  # what it does"
  std::string failures = "The command failed; one sentence on stderr says why.";  // what exit code 1 means
};

/// What a command has to say at its end.
struct Outcome {
  std::string json;  // one document, for --json
  std::string text;  // for people, with line ends; may be empty
  int exit_code = 0;
  std::string complaint;  // one sentence for stderr, when the work was done in part
};

/// One command of the program. Made anew for every run.
class Command {
 public:
  virtual ~Command() = default;
  virtual Manual manual() const = 0;
  /// Binds the options and arguments to fields of this object, with checks of their form: what is malformed is wrong
  /// usage (exit code 2).
  virtual void add_options(CLI::App& app) = 0;
  /// Blocks: as long as the command takes. `quiet`: show no progress.
  virtual Result<Outcome> run(bool quiet) = 0;
  /// The command serves until it is told to end, and logs to stderr meanwhile. Asked after the options were parsed.
  virtual bool serves() const { return false; }
};

std::unique_ptr<Command> make_up();
std::unique_ptr<Command> make_format();
std::unique_ptr<Command> make_mount();
std::unique_ptr<Command> make_umount();
std::unique_ptr<Command> make_upgrade();
std::unique_ptr<Command> make_status();
std::unique_ptr<Command> make_stat();
std::unique_ptr<Command> make_sync();
std::unique_ptr<Command> make_warm();
std::unique_ptr<Command> make_evict();
std::unique_ptr<Command> make_gc();
std::unique_ptr<Command> make_fsck();
std::unique_ptr<Command> make_dump();
std::unique_ptr<Command> make_load();
std::unique_ptr<Command> make_doctor();
std::unique_ptr<Command> make_version();

/// All of them, in the order in which `weir help` lists them.
std::vector<std::unique_ptr<Command>> all_commands();

}  // namespace weir::cli
