#pragma once

#include <atomic>

#include "kv/engine.h"

namespace weir::bench {

/// Another engine, with its commits counted. Thread-safe.
class CountingEngine final : public kv::Engine {
 public:
  explicit CountingEngine(std::unique_ptr<kv::Engine> inner) : inner_(std::move(inner)) {}

  std::unique_ptr<kv::Transaction> begin() override;
  Status barrier() override { return inner_->barrier(); }
  kv::Capabilities capabilities() const override { return inner_->capabilities(); }
  std::string name() const override { return inner_->name(); }

  std::atomic<uint64_t> commits = 0;    // that were done
  std::atomic<uint64_t> conflicts = 0;  // that have to be tried again
  std::atomic<uint64_t> reads = 0;      // round trips

 private:
  const std::unique_ptr<kv::Engine> inner_;
};

}  // namespace weir::bench
