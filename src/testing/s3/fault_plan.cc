#include "testing/s3/fault_plan.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "base/limits.h"

namespace weir::testing::s3 {
namespace {

constexpr auto kNames = std::to_array<std::pair<FaultKind, std::string_view>>({
    {FaultKind::kSlowDown, "slow_down"},
    {FaultKind::kTooManyRequests, "too_many_requests"},
    {FaultKind::kInternalError, "internal_error"},
    {FaultKind::kBadGateway, "bad_gateway"},
    {FaultKind::kExpiredToken, "expired_token"},
    {FaultKind::kAccessDenied, "access_denied"},
    {FaultKind::kErrorWithData, "error_with_data"},
    {FaultKind::kOkWithError, "ok_with_error"},
    {FaultKind::kResetRequest, "reset_request"},
    {FaultKind::kResetResponse, "reset_response"},
    {FaultKind::kShortBody, "short_body"},
    {FaultKind::kLostResponse, "lost_response"},
    {FaultKind::kLostByReset, "lost_by_reset"},
    {FaultKind::kShortLength, "short_length"},
    {FaultKind::kLongBody, "long_body"},
    {FaultKind::kWrongBytes, "wrong_bytes"},
    {FaultKind::kWrongRange, "wrong_range"},
    {FaultKind::kLyingRange, "lying_range"},
    {FaultKind::kIgnoredRange, "ignored_range"},
    {FaultKind::kSlowFirstByte, "slow_first_byte"},
    {FaultKind::kSlowBody, "slow_body"},
    {FaultKind::kSlowRequest, "slow_request"},
    {FaultKind::kStall, "stall"},
    {FaultKind::kStallRequest, "stall_request"},
    {FaultKind::kStaleList, "stale_list"},
});

}  // namespace

std::string_view name_of(FaultKind kind) {
  const auto* at = std::find_if(kNames.begin(), kNames.end(), [&](const auto& item) { return item.first == kind; });
  CHECK(at != kNames.end());
  return at->second;
}

std::optional<FaultKind> fault_kind(std::string_view name) {
  for (const auto& [kind, other] : kNames) {
    if (other == name) return kind;
  }
  return std::nullopt;
}

bool FaultPlan::add(const Fault& fault) {
  MutexLock lock(mutex_);
  if (faults_.size() >= limits::kTestServerFaults) return false;
  faults_.push_back(fault);
  return true;
}

void FaultPlan::clear() {
  MutexLock lock(mutex_);
  faults_.clear();
}

void FaultPlan::seed(uint64_t seed) {
  MutexLock lock(mutex_);
  random_ = SeededRandom(seed);
}

bool FaultPlan::matches(const Fault& fault, const Route& route) const {
  const auto& names = fault.operations;
  const bool operation =
      names.empty() || std::find(names.begin(), names.end(), name_of(route.operation)) != names.end();
  return operation && route.key.starts_with(fault.key_prefix);
}

std::optional<Fault> FaultPlan::choose(const Route& route) {
  MutexLock lock(mutex_);
  for (auto at = faults_.begin(); at != faults_.end(); at++) {
    if (!matches(*at, route)) continue;
    if (at->skip > 0) {
      at->skip--;
      continue;
    }
    if (random_.below(1000) >= at->per_mille) continue;
    const Fault chosen = *at;
    given_[std::string(name_of(chosen.kind))]++;
    if (at->count == 1) {
      faults_.erase(at);
    } else if (at->count > 1) {
      at->count--;
    }
    return chosen;
  }
  return std::nullopt;
}

std::map<std::string, uint64_t> FaultPlan::given() const {
  MutexLock lock(mutex_);
  return given_;
}

}  // namespace weir::testing::s3
