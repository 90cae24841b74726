#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "bench/metadata/counting_engine.h"
#include "meta/volume.h"
#include "testing/postgres_server.h"
#include "testing/temporary_directory.h"

namespace weir::bench {

struct StageOptions {
  size_t operations = 2000;
  size_t clients = 8;
  size_t entries = 100'000;
  std::string only;  // one group of measurements; empty: all
};

/// A volume as one node has it open.
struct Node {
  std::unique_ptr<CountingEngine> engine;
  std::unique_ptr<meta::Volume> volume;
};

/// What is measured, and where.
class Stage {
 public:
  /// Starts the server. Blocks: some seconds.
  static Result<std::unique_ptr<Stage>> make(const StageOptions& options);
  /// Prints a line for each measurement. Blocks.
  Status measure();

 private:
  explicit Stage(const StageOptions& options) : options_(options) {}

  Result<Node> open(const std::string& url, uint32_t node, bool create);
  Status floor(size_t clients);
  Status names(const std::string& what, Node& node, size_t clients);
  Status contents(const std::string& what, Node& node);
  Status listing(const std::string& what, Node& node);
  Status one_directory_by_nodes();
  Status same_chunks_by_nodes();

  const StageOptions options_;
  SystemClock clock_;
  SystemRandom random_;
  testing::TemporaryDirectory scratch_;
  std::unique_ptr<testing::PostgresServer> server_;
  Node shared_;
  std::vector<Node> others_;  // further nodes of the shared volume
  Node embedded_;
};

/// Does `work` for 0 to `count` - 1 on `threads` threads; the seconds that it took, or the first error.
Result<double> timed(size_t count, size_t threads, const std::function<Status(size_t index, size_t thread)>& work);
/// "what: 1234/s, 0.81 ms"
void report(const std::string& what, size_t count, double seconds);

}  // namespace weir::bench
