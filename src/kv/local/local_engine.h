#pragma once

#include "kv/local/commit_gate.h"
#include "kv/local/ordered_store.h"

namespace weir::kv {

/// The Engine of one process over an OrderedStore. Thread-safe.
class LocalEngine : public Engine {
 public:
  LocalEngine(std::unique_ptr<OrderedStore> store, Capabilities capabilities, std::string name);

  std::unique_ptr<Transaction> begin() override;
  Status barrier() override { return store_->sync(); }
  Capabilities capabilities() const override { return capabilities_; }
  std::string name() const override { return name_; }

 private:
  const std::unique_ptr<OrderedStore> store_;
  const Capabilities capabilities_;
  const std::string name_;
  CommitGate gate_;
};

}  // namespace weir::kv
