-- A ledger with a past, in bulk. Every account, version and balance is what `gateway verify` works out: payments are
-- made in rounds, in each of which every customer pays 5 once and every merchant is paid once.
CREATE SCHEMA bench;

-- An identifier as the gateway makes it: a UUIDv7 of that millisecond, written as TypeID.
CREATE FUNCTION bench.id(prefix text, milliseconds bigint, salt text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT prefix || '_'
        || (SELECT string_agg(
                substr('0123456789abcdefghjkmnpqrstvwxyz', ((milliseconds >> 5 * place) & 31)::int + 1, 1), ''
                ORDER BY place DESC
            ) FROM generate_series(0, 9) AS place)
        || 'e' || substr(md5(salt), 1, 2) || '8' || substr(md5(salt), 3, 12)
$$;

CREATE FUNCTION bench.milliseconds(moment timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT (extract(epoch FROM moment) * 1000)::bigint
$$;

-- Everybody, by number: one customer and one merchant each.
CREATE TABLE bench.people (number bigint PRIMARY KEY, customer text, merchant text, payer text, payee text);

CREATE FUNCTION bench.add_people(pairs bigint, rounds bigint, deposit bigint, amount bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    opened timestamptz := date_trunc('second', now()) - interval '400 days';
    opened_ms bigint := bench.milliseconds(opened);
    funding text := bench.id('acc', opened_ms, 'funding');
BEGIN
    INSERT INTO bench.people SELECT n, bench.id('usr', opened_ms + n, 'customer' || n),
        bench.id('usr', opened_ms + n, 'merchant' || n), bench.id('acc', opened_ms + n, 'payer' || n),
        bench.id('acc', opened_ms + n, 'payee' || n) FROM generate_series(0, pairs - 1) AS n;
    INSERT INTO users SELECT customer, customer || '@example.com', 'customer', NULL, opened, '-' FROM bench.people;
    INSERT INTO users SELECT merchant, merchant || '@example.com', 'merchant', NULL, opened, '-' FROM bench.people;
    INSERT INTO accounts SELECT payer, customer, 'customer', 'USD', 0, amount * rounds, 0, deposit, 'open', 2 + rounds,
        opened, 0, 0 FROM bench.people;
    INSERT INTO accounts SELECT payee, merchant, 'merchant', 'USD', 0, 0, 0, amount * rounds, 'open', 1 + rounds, opened, 0, 0
        FROM bench.people;
    INSERT INTO accounts VALUES
        (funding, 'system', 'funding', 'USD', 0, deposit * pairs, 0, 0, 'open', 1 + pairs, opened, 0, 0),
        (bench.id('acc', opened_ms, 'fees'), 'system', 'fees', 'USD', 0, 0, 0, 0, 'open', 1, opened, 0, 0),
        (bench.id('acc', opened_ms, 'exchange'), 'system', 'exchange', 'USD', 0, 0, 0, 0, 'open', 1, opened, 0, 0);
    INSERT INTO transfers SELECT bench.id('txn', opened_ms + number, 'deposit' || number), 0, 'deposit', NULL, customer,
        NULL, NULL, NULL, opened, 'post', deposit, 'USD', funding, -deposit * (number + 1), 0, 2 + number, payer,
        deposit, 0, 2 FROM bench.people;
    WITH batches AS (
        INSERT INTO events SELECT bench.id('evt', opened_ms, 'opened' || id), 'account.opened', id, 1,
            CASE kind WHEN 'customer' THEN owner_id END, CASE kind WHEN 'merchant' THEN owner_id END, opened,
            format('{"id":"%s","object":"account","currency":"USD"}', id), nextval('event_batch_ids'), 0 FROM accounts
        RETURNING batch_id, id
    )
    INSERT INTO event_batches SELECT batch_id, batch_id, id, id, 1 FROM batches;
END $$;

-- Payments `first` to `last` of `total`, spread over the last year. Events and answers only of those from `kept_from` on.
CREATE FUNCTION bench.add_payments(
    first bigint, last bigint, total bigint, kept_from bigint, pairs bigint, deposit bigint, amount bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz := date_trunc('second', now()) - interval '366 days';
BEGIN
    CREATE TEMPORARY TABLE made ON COMMIT DROP AS
        SELECT n, n / pairs AS round, payer.customer, payee.merchant, payer.payer, payee.payee, at,
            bench.id('', bench.milliseconds(at), 'payment' || n) AS suffix
        FROM generate_series(first, last) AS n
        CROSS JOIN LATERAL (SELECT begun + n * (interval '365 days' / total) AS at) AS moment
        JOIN bench.people AS payer ON payer.number = n % pairs
        JOIN bench.people AS payee ON payee.number = (n * 7919 + n / pairs * 31) % pairs
        ORDER BY n;
    INSERT INTO payments SELECT 'pay' || suffix, 'captured', amount, 'USD', 'automatic', customer, merchant, amount, 0,
        0, NULL, NULL, '{}', NULL, NULL, 1, at, at, 0, 0, 0, 0 FROM made;
    INSERT INTO transfers SELECT 'txn' || suffix, 0, 'payment', 'pay' || suffix, customer, merchant, NULL, NULL, at,
        'post', amount, 'USD', payer, deposit - amount * (round + 1), 0, 3 + round, payee, amount * (round + 1), 0,
        2 + round FROM made;
    CREATE TEMPORARY TABLE kept ON COMMIT DROP AS
        SELECT *, format(
            '{"id":"pay%s","object":"payment","status":"captured","amount":%s,"currency":"USD","amount_capturable":0,'
            '"amount_captured":%s,"amount_refunded":0,"fee_amount":0,"net_amount":%s,"capture":"automatic",'
            '"customer_id":"%s","merchant_id":"%s","reference":null,"description":null,"metadata":{},'
            '"expires_at":null,"failure_code":null,"version":1,"created_at":"%s","updated_at":"%s",'
            '"allowed_actions":["refund"],"quote_id":null}',
            suffix, amount, amount, amount, customer, merchant, at, at
        ) AS body FROM made WHERE n >= kept_from;
    WITH batches AS (
        INSERT INTO events SELECT 'evt' || suffix, 'payment.captured', 'pay' || suffix, 1, customer, merchant, at, body,
            nextval('event_batch_ids'), 0 FROM kept
        RETURNING batch_id, id
    )
    INSERT INTO event_batches SELECT batch_id, batch_id, id, id, 1 FROM batches;
    INSERT INTO answers SELECT customer, 'history-' || n, sha256(suffix::bytea), '201', at, 'evt' || suffix FROM kept;
END $$;
