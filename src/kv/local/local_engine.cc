#include "kv/local/local_engine.h"

#include "base/check.h"
#include "base/limits.h"

namespace weir::kv {
namespace {

class LocalTransaction final : public Transaction {
 public:
  LocalTransaction(OrderedStore& store, CommitGate& gate) : store_(store), gate_(gate) {}
  ~LocalTransaction() override { end(); }

  Result<std::optional<Value>> get(std::string_view key) override {
    // Before the read: what it returns is then at least as new.
    const Version seen_at = gate_.visible();
    ASSIGN_OR_RETURN(std::optional<Value> value, store_.get(key));
    reads_.saw(key, value ? value->version : 0, seen_at);
    return value;
  }

  Result<std::vector<std::optional<Value>>> get_many(const std::vector<Bytes>& keys) override {
    const Version seen_at = gate_.visible();
    ASSIGN_OR_RETURN(std::vector<std::optional<Value>> values, store_.get_many(keys));
    for (size_t i = 0; i < keys.size(); ++i) reads_.saw(keys[i], values[i] ? values[i]->version : 0, seen_at);
    return values;
  }

  void expect(std::string_view key, Version version) override { reads_.expect(key, version); }

  Result<std::vector<KeyValue>> scan(const KeyRange& range, size_t limit, bool reverse) override {
    CHECK(limit > 0 && limit <= limits::kScanRows);
    return store_.scan(range, limit, reverse);
  }

  Status fence(std::string_view key) override {
    CHECK(!ended_);
    TRY(gate_.fence(this, key));
    fencing_ = true;
    return {};
  }

  void put(std::string_view key, std::string_view bytes) override { writes_.put(key, bytes); }
  void erase(std::string_view key) override { writes_.erase(key); }

  Result<Version> commit() override {
    CHECK(!ended_);
    Result<Version> version = commit_once();
    end();
    return version;
  }

 private:
  Result<Version> commit_once() {
    if (writes_.empty()) return gate_.visible();
    TRY(writes_.check_limits());
    return gate_.commit(this, reads_, writes_);
  }

  void end() {
    if (fencing_) gate_.release(this);
    fencing_ = false;
    ended_ = true;
  }

  OrderedStore& store_;
  CommitGate& gate_;
  ReadSet reads_;
  WriteSet writes_;
  bool fencing_ = false;
  bool ended_ = false;
};

}  // namespace

LocalEngine::LocalEngine(std::unique_ptr<OrderedStore> store, Capabilities capabilities, std::string name)
    : store_(std::move(store)), capabilities_(capabilities), name_(std::move(name)), gate_(*store_) {}

std::unique_ptr<Transaction> LocalEngine::begin() { return std::make_unique<LocalTransaction>(*store_, gate_); }

}  // namespace weir::kv
