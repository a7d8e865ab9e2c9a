-- The one way into the log: judges a batch of commands, each for itself, and stores what is accepted.
--
-- Arrays of one length describe the commands, those that begin with event_ their events (event_commands: the
-- 1-based place of its command). A batch holds at most one command of a user. Verdicts: 0 accepted, 1 duplicate,
-- 2 erased, 3 not owned, 4 conflict, 5 leased. One row for each event that went in and one for each
-- other command, told apart by user.
CREATE FUNCTION log0_append(
    user_ids text[], expected_versions bigint[], end_versions bigint[], command_ids uuid[],
    fingerprints bytea[], statuses int[], answers bytea[], answer_key_ids text[],
    work_kinds int[], work_reply_ids text[], work_attempts int[], work_owners text[], work_lease_seconds float8[],
    event_commands int[], event_user_ids text[], event_versions bigint[], event_names text[], event_states bytea[]
) RETURNS TABLE (
    user_id text, verdict int, version bigint, last_position bigint,
    fingerprint bytea, status int, answer bytea, answer_key_id text
)
LANGUAGE plpgsql
-- Plans are kept, and may be made while the tables are still empty, when reading all of them looks cheap: only
-- look-ups by key are left to choose from.
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
AS $$
#variable_conflict use_column
DECLARE
    verdicts int[];
    heads bigint[];
    anything_else boolean;
    leased int[];
BEGIN
    -- Held until the commit is visible, and taken before any position is: that makes position order commit order.
    -- An advisory lock, because a table lock would wait for ANALYZE.
    PERFORM pg_advisory_xact_lock(7234470, 0);

    IF work_kinds IS NOT NULL THEN
        leased := log0_judge_work(user_ids, work_kinds, work_reply_ids, work_attempts, work_owners);
    END IF;

    -- A statement of its own, so that it sees what was committed while we waited for the lock. Arrays are taken
    -- apart in select lists: in FROM, each of them would be copied to a table first.
    SELECT array_agg(j.verdict ORDER BY j.place), array_agg(j.head ORDER BY j.place),
           bool_or(j.verdict <> 0 OR j.no_events)
    INTO verdicts, heads, anything_else
    FROM (
        SELECT c.place, coalesce(h.head, 0) AS head, c.end_version = c.expected AS no_events, CASE
            WHEN (SELECT true FROM commands k WHERE k.user_id = c.user_id AND k.command_id = c.command_id) THEN 1
            WHEN h.name = 'UserErased' THEN 2
            WHEN (SELECT s.log FROM shards s WHERE s.shard = left(c.user_id, 2)) IS DISTINCT FROM 0 THEN 3
            -- The library numbers from 0 in places: -1 then is the head of an empty stream.
            WHEN coalesce(h.head, least(c.expected, 0)) <> c.expected THEN 4
            WHEN leased[c.place] = 1 THEN 5
            ELSE 0 END AS verdict
        FROM (
            SELECT generate_subscripts(user_ids, 1) AS place, unnest(user_ids) AS user_id,
                   unnest(expected_versions) AS expected, unnest(end_versions) AS end_version,
                   unnest(command_ids) AS command_id
        ) c
        LEFT JOIN LATERAL (
            SELECT e.originator_version AS head, e.topic AS name FROM log0_events e
            WHERE e.originator_id = c.user_id ORDER BY e.originator_version DESC LIMIT 1
        ) h ON true
    ) j;

    IF answers IS NOT NULL THEN
        INSERT INTO commands (user_id, command_id, fingerprint, status, answer, answer_key_id, version)
        SELECT c.user_id, c.command_id, c.fingerprint, c.status, c.answer, c.answer_key_id::uuid, c.end_version
        FROM (
            SELECT unnest(verdicts) AS verdict, unnest(user_ids) AS user_id, unnest(command_ids) AS command_id,
                   unnest(fingerprints) AS fingerprint, unnest(statuses) AS status, unnest(answers) AS answer,
                   unnest(answer_key_ids) AS answer_key_id, unnest(end_versions) AS end_version
        ) c
        WHERE c.verdict = 0 AND c.answer IS NOT NULL;
    END IF;

    IF work_kinds IS NOT NULL THEN
        PERFORM log0_change_work(
            user_ids, verdicts, work_kinds, work_reply_ids, work_attempts, work_owners, work_lease_seconds);
    END IF;

    IF 'UserErased' = ANY (event_names) THEN
        -- Whoever comes back under the same name is somebody new.
        UPDATE users u SET erased_at = clock_timestamp(), subject = NULL
        FROM unnest(event_commands, event_user_ids, event_names) AS e(command, user_id, name)
        WHERE e.name = 'UserErased' AND verdicts[e.command] = 0 AND u.user_id = e.user_id;
    END IF;

    IF anything_else THEN
        RETURN QUERY
        SELECT c.user_id, c.verdict, coalesce(k.version, c.head), 0::bigint,
               k.fingerprint, k.status, k.answer, k.answer_key_id::text
        FROM unnest(user_ids, verdicts, heads, command_ids, expected_versions, end_versions)
            AS c(user_id, verdict, head, command_id, expected, end_version)
        LEFT JOIN commands k ON c.verdict = 1 AND k.user_id = c.user_id AND k.command_id = c.command_id
        WHERE c.verdict <> 0 OR c.end_version = c.expected;
    END IF;

    RETURN QUERY
    INSERT INTO log0_events (originator_id, originator_version, topic, state)
    SELECT e.user_id, e.version, e.name, e.state
    FROM (
        SELECT unnest(event_commands) AS command, unnest(event_user_ids) AS user_id,
               unnest(event_versions) AS version, unnest(event_names) AS name, unnest(event_states) AS state,
               generate_subscripts(event_names, 1) AS place
    ) e
    WHERE verdicts[e.command] = 0
    ORDER BY e.place
    RETURNING originator_id, 0, originator_version, notification_id,
              NULL::bytea, NULL::int, NULL::bytea, NULL::text;

    IF FOUND THEN
        PERFORM pg_notify('log0', currval('log0_events_notification_id_seq')::text);
    END IF;
END
$$;

-- 1 where a claim must be refused. Locks the rows first, so that a lease that is being renewed is not judged to be
-- over; in order of user, as the renewals do.
CREATE FUNCTION log0_judge_work(
    user_ids text[], work_kinds int[], work_reply_ids text[], work_attempts int[], work_owners text[]
) RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
    concerned text[] := ARRAY(SELECT c.u FROM unnest(user_ids, work_kinds) AS c(u, k) WHERE c.k IS NOT NULL);
BEGIN
    PERFORM 1 FROM work w WHERE w.user_id = ANY (concerned) ORDER BY w.user_id FOR UPDATE;
    RETURN (
        SELECT array_agg(CASE WHEN c.kind = 2 AND NOT coalesce(
            w.reply_id = c.reply_id AND w.attempt = c.attempt - 1
            AND (w.lease_until IS NULL OR w.lease_until <= clock_timestamp() OR w.owner = c.owner), false)
            THEN 1 ELSE 0 END ORDER BY c.place)
        FROM unnest(user_ids, work_kinds, work_reply_ids, work_attempts, work_owners)
            WITH ORDINALITY AS c(user_id, kind, reply_id, attempt, owner, place)
        LEFT JOIN work w ON w.user_id = c.user_id
    );
END
$$;

-- Work changes of the accepted commands. Kinds: 1 wanted, 2 claimed, 3 done.
CREATE FUNCTION log0_change_work(
    user_ids text[], verdicts int[], work_kinds int[], work_reply_ids text[], work_attempts int[],
    work_owners text[], work_lease_seconds float8[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO work AS w (user_id, reply_id, attempt, wanted_at)
    SELECT c.user_id, c.reply_id, 0, clock_timestamp()
    FROM unnest(user_ids, work_kinds, work_reply_ids) WITH ORDINALITY AS c(user_id, kind, reply_id, place)
    WHERE c.kind = 1 AND verdicts[c.place] = 0
    ON CONFLICT (user_id) DO UPDATE
    SET reply_id = excluded.reply_id, attempt = 0, owner = NULL, lease_until = NULL, wanted_at = excluded.wanted_at
    WHERE w.reply_id <> excluded.reply_id;

    UPDATE work w
    SET attempt = c.attempt, owner = c.owner,
        lease_until = clock_timestamp() + make_interval(secs => c.lease_seconds)
    FROM unnest(user_ids, work_kinds, work_attempts, work_owners, work_lease_seconds)
        WITH ORDINALITY AS c(user_id, kind, attempt, owner, lease_seconds, place)
    WHERE c.kind = 2 AND verdicts[c.place] = 0 AND w.user_id = c.user_id;

    DELETE FROM work w
    USING unnest(user_ids, work_kinds) WITH ORDINALITY AS c(user_id, kind, place)
    WHERE c.kind = 3 AND verdicts[c.place] = 0 AND w.user_id = c.user_id;
END
$$;
