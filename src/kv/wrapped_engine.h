#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "kv/engine.h"

/// For tests and benchmarks that count, delay or change some of what goes to an engine: passes on all of it.
namespace weir::kv {

class WrappedTransaction : public Transaction {
 public:
  explicit WrappedTransaction(std::unique_ptr<Transaction> inner) : inner_(std::move(inner)) {}

  Result<ReadAnswer> read(const ReadBatch& batch) override { return inner_->read(batch); }
  std::optional<ReadAnswer> recall(const ReadBatch& batch) override { return inner_->recall(batch); }
  void expect(std::string_view key, Version version) override { inner_->expect(key, version); }
  Status fence(std::string_view key) override { return inner_->fence(key); }
  void put(std::string_view key, std::string_view bytes) override { inner_->put(key, bytes); }
  void erase(std::string_view key) override { inner_->erase(key); }
  const WriteSet& writes() const override { return inner_->writes(); }
  Result<Version> commit() override { return inner_->commit(); }

 protected:
  const std::unique_ptr<Transaction> inner_;
};

/// Of an engine that outlives it. As it is: one that several have open.
class WrappedEngine : public Engine {
 public:
  explicit WrappedEngine(Engine& inner) : inner_(inner) {}

  std::unique_ptr<Transaction> begin() override { return inner_.begin(); }
  Status barrier() override { return inner_.barrier(); }
  Capabilities capabilities() const override { return inner_.capabilities(); }
  std::string name() const override { return inner_.name(); }

 protected:
  Engine& inner_;
};

}  // namespace weir::kv
