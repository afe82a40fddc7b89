-- The strongest way to pay without grouping: one call, and so one round trip and one transaction, for each payment.
--
-- Customers only pay and merchants only receive, so taking the customer's row first and the merchant's second cannot
-- deadlock; and the merchant's, which others wait for, is taken as late as can be.
CREATE OR REPLACE FUNCTION pay(
    customer text, merchant text, amount_minor bigint, in_currency text, asked_key text, asked_fingerprint bytea,
    new_payment text, new_transaction text, new_event text
) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    kept answers;
    payer accounts;
    payee accounts;
    batch bigint;
    paid_at timestamptz := clock_timestamp();
    paid_at_text text := to_char(paid_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
    body text;
BEGIN
    SELECT * INTO kept FROM answers WHERE owner_id = customer AND key = asked_key;
    IF FOUND THEN
        IF kept.fingerprint <> asked_fingerprint THEN
            RAISE 'This idempotency key belongs to another request.';
        END IF;
        RETURN kept.body || (SELECT convert_to(data, 'UTF8') FROM events WHERE id = kept.event_id);
    END IF;
    body := format(
        '{"id":"%s","object":"payment","status":"captured","amount":%s,"currency":"%s","amount_capturable":0,'
        '"amount_captured":%s,"amount_refunded":0,"fee_amount":0,"net_amount":%s,"capture":"automatic",'
        '"customer_id":"%s","merchant_id":"%s","reference":null,"description":null,"metadata":{},"expires_at":null,'
        '"failure_code":null,"version":1,"created_at":"%s","updated_at":"%s","allowed_actions":["refund"],'
        '"quote_id":null}',
        new_payment, amount_minor, in_currency, amount_minor, amount_minor, customer, merchant, paid_at_text,
        paid_at_text
    );
    INSERT INTO answers VALUES (customer, asked_key, asked_fingerprint, '201', paid_at, new_event);
    UPDATE accounts SET debits_posted = debits_posted + amount_minor, version = version + 1
        WHERE owner_id = customer AND currency = in_currency AND kind = 'customer' AND status = 'open'
            AND credits_posted - debits_posted - debits_pending >= amount_minor
        RETURNING * INTO payer;
    IF NOT FOUND THEN
        RAISE 'The customer cannot pay.';
    END IF;
    INSERT INTO payments VALUES (
        new_payment, 'captured', amount_minor, in_currency, 'automatic', customer, merchant, amount_minor, 0, 0, NULL,
        NULL, '{}', NULL, NULL, 1, paid_at, paid_at, 0, 0, 0, 0
    );
    INSERT INTO event_batches_unnumbered VALUES (nextval('event_batch_ids'), new_event, new_event, 1)
        RETURNING batch_id INTO batch;
    INSERT INTO events VALUES (
        new_event, 'payment.captured', new_payment, 1, customer, merchant, paid_at, body, batch, 0
    );
    UPDATE accounts SET credits_posted = credits_posted + amount_minor, version = version + 1
        WHERE owner_id = merchant AND currency = in_currency AND kind = 'merchant' AND status <> 'closed'
        RETURNING * INTO payee;
    IF NOT FOUND THEN
        RAISE 'There is no such merchant.';
    END IF;
    INSERT INTO transfers VALUES (
        new_transaction, 0, 'payment', new_payment, customer, merchant, NULL, NULL, paid_at, 'post', amount_minor,
        in_currency, payer.id, payer.credits_posted - payer.debits_posted, payer.debits_pending, payer.version,
        payee.id, payee.credits_posted - payee.debits_posted, payee.debits_pending, payee.version
    );
    RETURN convert_to('201' || body, 'UTF8');
END $$;
