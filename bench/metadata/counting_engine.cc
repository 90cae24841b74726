#include "bench/metadata/counting_engine.h"

#include "kv/wrapped_engine.h"

namespace weir::bench {
namespace {

class CountingTransaction final : public kv::WrappedTransaction {
 public:
  CountingTransaction(CountingEngine& engine, std::unique_ptr<kv::Transaction> inner)
      : WrappedTransaction(std::move(inner)), engine_(engine) {}

  Result<kv::ReadAnswer> read(const kv::ReadBatch& batch) override {
    ++engine_.reads;
    return inner_->read(batch);
  }
  Status fence(std::string_view key) override {
    ++engine_.reads;
    return inner_->fence(key);
  }
  Result<kv::Version> commit() override {
    auto version = inner_->commit();
    ++(version ? engine_.commits : engine_.conflicts);
    return version;
  }

 private:
  CountingEngine& engine_;
};

}  // namespace

std::unique_ptr<kv::Transaction> CountingEngine::begin() {
  return std::make_unique<CountingTransaction>(*this, inner_->begin());
}

}  // namespace weir::bench
