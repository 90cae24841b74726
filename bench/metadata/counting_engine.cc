#include "bench/metadata/counting_engine.h"

namespace weir::bench {
namespace {

class CountingTransaction final : public kv::Transaction {
 public:
  CountingTransaction(CountingEngine& engine, std::unique_ptr<kv::Transaction> inner)
      : engine_(engine), inner_(std::move(inner)) {}

  Result<kv::ReadAnswer> read(const kv::ReadBatch& batch) override {
    ++engine_.reads;
    return inner_->read(batch);
  }
  std::optional<kv::ReadAnswer> recall(const kv::ReadBatch& batch) override { return inner_->recall(batch); }
  void expect(std::string_view key, kv::Version version) override { inner_->expect(key, version); }
  Status fence(std::string_view key) override {
    ++engine_.reads;
    return inner_->fence(key);
  }
  void put(std::string_view key, std::string_view bytes) override { inner_->put(key, bytes); }
  void erase(std::string_view key) override { inner_->erase(key); }
  const kv::WriteSet& writes() const override { return inner_->writes(); }
  Result<kv::Version> commit() override {
    auto version = inner_->commit();
    ++(version ? engine_.commits : engine_.conflicts);
    return version;
  }

 private:
  CountingEngine& engine_;
  const std::unique_ptr<kv::Transaction> inner_;
};

}  // namespace

std::unique_ptr<kv::Transaction> CountingEngine::begin() {
  return std::make_unique<CountingTransaction>(*this, inner_->begin());
}

}  // namespace weir::bench
