#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "kv/engine.h"

namespace weir::kv {

/// A database for one test, empty at first, gone with the object.
class EngineHarness {
 public:
  virtual ~EngineHarness() = default;
  /// Valid until reopen().
  virtual Engine& engine() = 0;
  /// Closes the engine and opens it again on the same content. Requires: no transaction of it is left.
  virtual void reopen() = 0;
};

struct EngineKind {
  std::string name;
  /// An error fails the test.
  std::function<Result<std::unique_ptr<EngineHarness>>()> make;
};

inline void PrintTo(const EngineKind& kind, std::ostream* out) { *out << kind.name; }

/// The contract of engine.h as tests (conformance_*_test.cc), which every engine passes (engines_test.cc lists them).
class EngineConformance : public ::testing::TestWithParam<EngineKind> {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<EngineHarness>> made = GetParam().make();
    ASSERT_TRUE(made) << made.error().what;
    harness_ = std::move(*made);
  }

  Engine& engine() { return harness_->engine(); }
  void reopen() { harness_->reopen(); }

  /// Commits one put; the version it got.
  Version put(std::string_view key, std::string_view bytes);
  void erase(std::string_view key);
  /// What is there now; nothing when absent.
  std::optional<Value> value(std::string_view key);
  /// Bytes of the value, "(absent)" when there is none.
  std::string text(std::string_view key);

 private:
  std::unique_ptr<EngineHarness> harness_;
};

/// "ok" or the name of the error's code, for comparisons that print well.
template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : std::string(code_name(result.error().code));
}

}  // namespace weir::kv
