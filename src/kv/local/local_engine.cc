#include "kv/local/local_engine.h"

#include "base/check.h"
#include "base/limits.h"

namespace weir::kv {
namespace {

class LocalTransaction final : public Transaction {
 public:
  LocalTransaction(OrderedStore& store, CommitGate& gate) : store_(store), gate_(gate) {}
  ~LocalTransaction() override { end(); }

  Result<ReadAnswer> read(const ReadBatch& batch) override {
    ReadAnswer answer;
    ASSIGN_OR_RETURN(answer.values, read_keys(batch.keys));
    for (const ReadBatch::Link& link : batch.links) {
      const auto key = linked_key(link, answer.values[link.from]);
      std::optional<Value> value;
      if (key) {
        ASSIGN_OR_RETURN(value, read_key(*key));
      }
      answer.linked.push_back(std::move(value));
    }
    for (const ReadBatch::Scan& scan : batch.scans) {
      CHECK(scan.limit > 0 && scan.limit <= limits::kScanRows);
      ASSIGN_OR_RETURN(auto rows, store_.scan(scan.range, scan.limit, scan.reverse));
      answer.scans.push_back(std::move(rows));
    }
    return answer;
  }

  /// There is no round trip to spare.
  std::optional<ReadAnswer> recall(const ReadBatch& /*batch*/) override { return std::nullopt; }
  void expect(std::string_view key, Version version) override { reads_.expect(key, version); }

  Status fence(std::string_view key) override {
    CHECK(!ended_);
    TRY(gate_.fence(this, key));
    fencing_ = true;
    return {};
  }

  void put(std::string_view key, std::string_view bytes) override { writes_.put(key, bytes); }
  void erase(std::string_view key) override { writes_.erase(key); }
  const WriteSet& writes() const override { return writes_; }

  Result<Version> commit() override {
    CHECK(!ended_);
    Result<Version> version = commit_once();
    end();
    return version;
  }

 private:
  Result<std::optional<Value>> read_key(std::string_view key) {
    // Before the read: what it returns is then at least as new.
    const Version seen_at = gate_.visible();
    ASSIGN_OR_RETURN(std::optional<Value> value, store_.get(key));
    reads_.saw(key, value ? value->version : 0, seen_at);
    return value;
  }

  Result<std::vector<std::optional<Value>>> read_keys(const std::vector<Bytes>& keys) {
    std::vector<std::optional<Value>> values;
    if (keys.size() == 1) {
      ASSIGN_OR_RETURN(auto value, read_key(keys.front()));
      values.push_back(std::move(value));
    } else if (!keys.empty()) {
      const Version seen_at = gate_.visible();
      ASSIGN_OR_RETURN(values, store_.get_many(keys));
      for (size_t i = 0; i < keys.size(); ++i) reads_.saw(keys[i], values[i] ? values[i]->version : 0, seen_at);
    }
    return values;
  }

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
