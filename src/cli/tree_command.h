#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "daemon/json.h"

namespace weir::cli {

/// What sync, warm and evict have in common: a daemon works on everything below some paths, with a progress bar. A path
/// that fails does not stop the others.
class TreeCommand : public Command {
 public:
  Result<Outcome> run(bool quiet) override;

 protected:
  /// For the bar: "syncing".
  virtual std::string label() const = 0;
  /// What to ask of the daemon; the inode is added.
  virtual void fill_request(Json& request) const = 0;
  /// "3 files (1.2 GiB) are stored".
  virtual std::string describe_done(uint64_t files, const std::string& bytes) const = 0;
  /// "could not be synced".
  virtual std::string describe_failed() const = 0;

  void add_paths(CLI::App& app, const std::string& what);

 private:
  struct Totals;
  Status work_on(const std::string& path, bool quiet, Totals& totals);
  Outcome outcome_of(const Totals& totals) const;

  std::vector<std::string> paths_;
};

}  // namespace weir::cli
