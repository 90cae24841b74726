#include "meta/collector_turn.h"

#include "base/log.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "meta/run_transaction.h"
#include "model/node_info.h"

namespace weir::meta {

namespace {

/// Busy when the node that holds the turn is alive. Another epoch of it has begun its work anew.
Status check_holder_is_gone(Volume& volume, kv::Transaction& transaction, const CollectorRow& row) {
  if (row.node == volume.node()) return {};
  ASSIGN_OR_RETURN(auto value, transaction.get(keys::node(row.node)));
  if (!value) return {};
  ASSIGN_OR_RETURN(NodeInfo holder, NodeInfo::decode(value->bytes));
  if (!holder.active || holder.epoch != row.epoch) return {};
  return error(Code::kBusy, "node {} on {} collects garbage at this moment; try again later", row.node.value,
               holder.host);
}

}  // namespace

Result<std::unique_ptr<CollectorTurn>> CollectorTurn::take(Volume& volume) {
  ASSIGN_OR_RETURN(const uint64_t serial, volume.new_serial());
  auto taken = run_transaction(volume, RequestId{}, [&](Attempt& attempt) -> Status {
    ASSIGN_OR_RETURN(auto value, attempt.transaction.get(keys::collector()));
    if (value) {
      ASSIGN_OR_RETURN(CollectorRow row, CollectorRow::decode(value->bytes));
      TRY(check_holder_is_gone(volume, attempt.transaction, row));
    }
    attempt.transaction.put(keys::collector(), CollectorRow{volume.node(), attempt.epoch, serial}.encode());
    return {};
  });
  if (!taken) return Failure(taken.error());
  ASSIGN_OR_RETURN(auto value, volume.engine().begin()->get(keys::collector()));
  if (value) {
    ASSIGN_OR_RETURN(CollectorRow row, CollectorRow::decode(value->bytes));
    if (row.serial == serial) return std::unique_ptr<CollectorTurn>(new CollectorTurn(volume, value->version));
  }
  return error(Code::kBusy, "another node began to collect garbage at the same time");
}

Status CollectorTurn::validate(kv::Transaction& transaction, bool first) {
  if (first) {
    transaction.expect(keys::collector(), version_);
    return {};
  }
  ASSIGN_OR_RETURN(auto value, transaction.get(keys::collector()));
  if (value && value->version == version_) return {};
  return error(Code::kFenced, "another node has taken over collecting garbage");
}

CollectorTurn::~CollectorTurn() {
  auto ended = run_transaction(volume_, RequestId{}, [&](Attempt& attempt) -> Status {
    TRY(validate(attempt.transaction, false));
    attempt.transaction.erase(keys::collector());
    return {};
  });
  if (!ended && ended.error().code != Code::kFenced)
    log::info("the turn of the collector stays with this node: {}", ended.error().what);
}

}  // namespace weir::meta
