#include "kv/faulty/faulty_engine.h"

#include "base/patience.h"

namespace weir::kv {

class FaultyTransaction final : public Transaction {
 public:
  FaultyTransaction(FaultyEngine& engine, uint64_t life, std::unique_ptr<Transaction> inner)
      : engine_(engine), life_(life), inner_(std::move(inner)) {}

  Result<ReadAnswer> read(const ReadBatch& batch) override {
    TRY(engine_.alive(life_));
    ASSIGN_OR_RETURN(ReadAnswer answer, inner_->read(batch));
    engine_.recalled_.was_read(batch, answer);
    return answer;
  }
  std::optional<ReadAnswer> recall(const ReadBatch& batch) override {
    ReadSet reads;
    std::optional<ReadAnswer> answer = engine_.recalled_.recall(batch, reads);
    for (const auto& [key, seen] : reads.seen()) {
      inner_->expect(key, seen.version);
      recalled_.expect(key, seen.version);
    }
    return answer;
  }
  void expect(std::string_view key, Version version) override { inner_->expect(key, version); }
  Status fence(std::string_view key) override {
    TRY(engine_.alive(life_));
    return inner_->fence(key);
  }
  void put(std::string_view key, std::string_view bytes) override {
    writes_.put(key, bytes);
    inner_->put(key, bytes);
  }
  void erase(std::string_view key) override {
    writes_.erase(key);
    inner_->erase(key);
  }
  const WriteSet& writes() const override { return writes_; }

  Result<Version> commit() override {
    Result<Version> result = commit_with_fault();
    if (result) {
      engine_.recalled_.was_committed(writes_, *result);
    } else {
      engine_.recalled_.forget(recalled_, writes_);
    }
    // The transaction has ended, whatever became of it: its fences must not outlast it.
    inner_.reset();
    return result;
  }

 private:
  Result<Version> commit_with_fault() {
    TRY(engine_.alive(life_));
    switch (!writes_.empty() ? engine_.next_fault() : Fault::kNone) {
      case Fault::kNone: return inner_->commit();
      case Fault::kConflict: return error(Code::kConflict, "injected conflict");
      case Fault::kUnavailable: return error(Code::kUnavailable, "injected failure to reach the engine");
      case Fault::kLostReply: static_cast<void>(inner_->commit()); [[fallthrough]];
      case Fault::kLostRequest: return lost_reply();
      case Fault::kAwayAfterCommit: static_cast<void>(inner_->commit()); [[fallthrough]];
      case Fault::kAwayBeforeCommit: engine_.go_away(); return lost_reply();
      case Fault::kCrashAfterCommit: static_cast<void>(inner_->commit()); [[fallthrough]];
      case Fault::kCrashBeforeCommit: engine_.crash(); return error(Code::kUnavailable, "injected crash");
    }
    return error(Code::kInternal, "unknown fault");
  }

  static Result<Version> lost_reply() { return error(Code::kMaybeCommitted, "injected loss of the reply to a commit"); }

  FaultyEngine& engine_;
  const uint64_t life_;
  std::unique_ptr<Transaction> inner_;
  ReadSet recalled_;
  WriteSet writes_;
};

FaultyEngine::FaultyEngine(std::unique_ptr<Engine> engine, uint64_t seed, FaultRates rates)
    : engine_(std::move(engine)), random_(seed), rates_(rates) {}

std::unique_ptr<Transaction> FaultyEngine::begin() {
  MutexLock lock(mutex_);
  return std::make_unique<FaultyTransaction>(*this, life_, engine_->begin());
}

Status FaultyEngine::barrier() {
  {
    MutexLock lock(mutex_);
    if (crashed_) return error(Code::kUnavailable, "the engine has crashed and was not reopened");
  }
  return engine_->barrier();
}

void FaultyEngine::script(const std::deque<Fault>& faults) {
  MutexLock lock(mutex_);
  script_.insert(script_.end(), faults.begin(), faults.end());
}

void FaultyEngine::set_rates(FaultRates rates) {
  MutexLock lock(mutex_);
  rates_ = rates;
}

void FaultyEngine::go_away() {
  MutexLock lock(mutex_);
  away_ = true;
}

void FaultyEngine::come_back() {
  MutexLock lock(mutex_);
  away_ = false;
}

void FaultyEngine::crash() {
  MutexLock lock(mutex_);
  if (!crashed_) ++life_;
  crashed_ = true;
}

void FaultyEngine::reopen() {
  MutexLock lock(mutex_);
  if (crashed_) ++life_;
  crashed_ = false;
}

uint64_t FaultyEngine::injected(Fault fault) const {
  MutexLock lock(mutex_);
  auto count = injected_.find(fault);
  return count == injected_.end() ? 0 : count->second;
}

Status FaultyEngine::alive(uint64_t life) const {
  {
    MutexLock lock(mutex_);
    if (crashed_ || life != life_) return error(Code::kUnavailable, "the engine crashed under this transaction");
    if (!away_) return {};
  }
  TRY(Patience::ask());
  return error(Code::kUnavailable, "injected absence of the server");
}

Fault FaultyEngine::next_fault() {
  MutexLock lock(mutex_);
  Fault fault = Fault::kNone;
  if (script_.empty()) {
    fault = roll();
  } else {
    fault = script_.front();
    script_.pop_front();
  }
  ++injected_[fault];
  return fault;
}

Fault FaultyEngine::roll() {
  uint64_t dice = random_.below(1000);
  const std::pair<uint64_t, Fault> rates[] = {{rates_.conflict, Fault::kConflict},
                                              {rates_.unavailable, Fault::kUnavailable},
                                              {rates_.lost_reply, Fault::kLostReply},
                                              {rates_.lost_request, Fault::kLostRequest}};
  for (const auto& [rate, fault] : rates) {
    if (dice < rate) return fault;
    dice -= rate;
  }
  return Fault::kNone;
}

}  // namespace weir::kv
