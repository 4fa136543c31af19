{#
  Base is made of the rows of a snapshot, as one generation: all of it, or nothing. Whatever base held before came from
  an earlier attempt, because nothing is folded while there is no fence.
#}
DECLARE moved_at TIMESTAMP;

BEGIN TRANSACTION;

SET moved_at = TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR);

DELETE FROM `{{ dataset }}.{{ feed.name }}_base` WHERE TRUE;

INSERT INTO `{{ dataset }}.{{ feed.name }}_base` (id, folded_at, {{ columns | map(attribute="name") | join(", ") }})
SELECT id, moved_at, {{ columns | map(attribute="name") | join(", ") }}
FROM `{{ dataset }}.{{ source }}`;

COMMIT TRANSACTION;
