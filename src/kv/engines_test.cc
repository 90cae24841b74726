#include "base/check.h"
#include "base/limits.h"
#include "kv/conformance.h"
#include "kv/faulty/faulty_engine.h"
#include "testing/postgres_server.h"
#include "testing/temporary_directory.h"

namespace weir::kv {
namespace {

std::unique_ptr<Engine> opened(const std::string& url, bool create, const Layout& layout = {}) {
  Result<std::unique_ptr<Engine>> engine = open_engine(url, create, layout);
  if (!engine) check_failed(__FILE__, __LINE__, "open_engine", engine.error().what);
  return std::move(*engine);
}

class MemoryHarness : public EngineHarness {
 public:
  Engine& engine() override { return *engine_; }
  /// The content of memory ends with its engine; what is left of reopening is that nothing changes.
  void reopen() override {}

 private:
  std::unique_ptr<Engine> engine_ = opened("memory:", true);
};

class RocksdbHarness : public EngineHarness {
 public:
  Engine& engine() override { return *engine_; }
  void reopen() override {
    engine_.reset();
    engine_ = opened(path_, false);
  }

 private:
  testing::TemporaryDirectory directory_;
  const std::string path_ = directory_.file("metadata");
  std::unique_ptr<Engine> engine_ = opened(path_, true);
};

/// Without faults the wrapper must not change the contract.
class FaultyHarness : public EngineHarness {
 public:
  Engine& engine() override { return engine_; }
  void reopen() override {
    engine_.crash();
    engine_.reopen();
  }

 private:
  FaultyEngine engine_{opened("memory:", true), 1};
};

/// About half of the keys that the tests use: they lie in both tables, in the middle of ranges, and lead across.
const Layout kMixedLayout{"acegikmoqsuwyACEGIKMOQSUWY13579"};

/// A schema of its own in a server that all tests of this program share.
class PostgresHarness : public EngineHarness {
 public:
  PostgresHarness(const std::string& url, const Layout& layout) : url_(url), engine_(opened(url, true, layout)) {}
  Engine& engine() override { return *engine_; }
  void reopen() override { engine_ = opened(url_, false); }

 private:
  const std::string url_;
  std::unique_ptr<Engine> engine_;
};

Result<std::unique_ptr<EngineHarness>> make_postgres(const Layout& layout) {
  static Result<std::unique_ptr<testing::PostgresServer>> server = testing::PostgresServer::start();
  static int schemas = 0;
  if (!server) return Failure(server.error());
  return std::make_unique<PostgresHarness>((*server)->url(fmt::format("schema=test{}", ++schemas)), layout);
}

template <class Harness>
EngineKind kind(const std::string& name) {
  return {name, []() -> Result<std::unique_ptr<EngineHarness>> { return std::make_unique<Harness>(); }};
}

INSTANTIATE_TEST_SUITE_P(
    Engines, EngineConformance,
    ::testing::Values(kind<MemoryHarness>("memory"), kind<RocksdbHarness>("rocksdb"), kind<FaultyHarness>("faulty"),
                      EngineKind{"postgres", [] { return make_postgres({}); }},
                      EngineKind{"postgres_in_two_tables", [] { return make_postgres(kMixedLayout); }}),
    [](const auto& test) { return test.param.name; });

/// What the engine still knows of a batch that was just read; then of one that is too large for that; then of rows that
/// a commit found changed.
std::string recalls(Engine& engine) {
  const auto commit = [&](const std::string& key) {
    auto transaction = engine.begin();
    transaction->put(key, "value");
    return outcome(transaction->commit());
  };
  ReadBatch batch, large, changed;
  batch.keys = {"present", "absent", "with content"};
  for (size_t i = 0; i <= limits::kRecalledKeys; ++i) large.keys.push_back(std::to_string(i));
  changed.keys = {"changed"};
  auto inode = engine.begin();
  inode->put("with content", std::string(limits::kInlineContentBytes + 200, 'c'));
  std::string known = commit("present") + " " + commit("changed") + " " + outcome(inode->commit()) + ":";
  for (const ReadBatch& read : {batch, large, changed})
    if (!engine.begin()->read(read)) return "a read failed";
  for (const ReadBatch& read : {batch, large}) known += engine.begin()->recall(read) ? " known" : " unknown";
  auto stale = engine.begin();
  if (!stale->recall(changed)) return "a row was not known";
  commit("changed");
  stale->put("written", "value");
  known += " " + outcome(stale->commit());
  return known + (engine.begin()->recall(changed) ? " known" : " unknown");
}

TEST(RecallingEngines, rows_are_recalled_until_a_commit_finds_them_changed) {
  FaultyHarness faulty;
  auto postgres = make_postgres(kMixedLayout);
  ASSERT_TRUE(postgres) << postgres.error().what;
  EXPECT_EQ(recalls(faulty.engine()), "ok ok ok: known unknown conflict unknown");
  EXPECT_EQ(recalls((*postgres)->engine()), "ok ok ok: known unknown conflict unknown");
}

}  // namespace
}  // namespace weir::kv
